"""How long the gate takes for one action, and the simulator for many, in this process alone.

`python -m benchmarks.gate` needs no database. It judges made-up actions (an order of eight lines, 55 values) by
policies of 200 rules, prints a table and writes JSON to `benchmarks/results/`. Processor time is measured beside the
clock on the wall, which also counts what else the machine does.
"""

import argparse
import os
import platform
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from time import perf_counter, perf_counter_ns, process_time, process_time_ns
from typing import Any

from approvals.conditions import Answers
from approvals.gate import judge
from approvals.policies import Policy, PublishedPolicy
from approvals.schemas import Confidence, GateContext, ProposedAction
from approvals.simulating import Comparison, PastAction, Times
from approvals.vocabulary import Risk
from benchmarks import made_up
from benchmarks.records import circumstances, write
from countersign.programs import PROJECT

WARM_UP = 500
EXECUTIONS = 500
BATCH = 2_000


def main() -> int:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    add = parser.add_argument
    add("--rules", type=int, default=200)
    add("--actions", type=int, default=10_000, help="judgements to measure")
    add("--past", type=int, default=100_000, help="past actions to simulate; 0: leave it out")
    options = parser.parse_args()
    results: dict[str, Any] = {
        **circumstances(),
        "options": vars(options),
        "python": platform.python_version(),
        "load_before": [round(number, 1) for number in os.getloadavg()],
        "gate": _gate(options.rules, options.actions),
        "conditions": _conditions(),
        "simulator": _simulator(options.rules, options.past) if options.past else {},
    }
    path = write("gate", results)
    print("\n".join(_lines(results)))
    print(f"\nWritten to {path.relative_to(PROJECT)}")
    return 0


def _gate(rules: int, actions: int) -> dict[str, Any]:
    given = made_up.judged(actions)
    return {
        "mixed": _judgements(made_up.policy(rules), given),
        "every rule evaluated": _judgements(made_up.unkind_policy(rules), given),
    }


def _judgements(
    policy: Policy, given: Sequence[tuple[ProposedAction, Confidence, GateContext]]
) -> dict[str, Any]:
    published = _as_published(policy)
    for action, confidence, context in given[:WARM_UP]:
        judge(action, confidence, context, published)
    wall, cpu = [], []
    outcomes: Counter[str] = Counter()
    for action, confidence, context in given:
        wall_before, cpu_before = perf_counter_ns(), process_time_ns()
        verdict = judge(action, confidence, context, published)
        cpu.append((process_time_ns() - cpu_before) / 1_000)
        wall.append((perf_counter_ns() - wall_before) / 1_000)
        outcomes[verdict.outcome.value] += 1
    return {
        "rules": len(policy.rules),
        "with_condition": sum(rule.when.condition is not None for rule in policy.rules),
        "outcomes": dict(outcomes),
        "cpu": _microseconds(cpu),
        "wall": _microseconds(wall),
    }


def _microseconds(taken: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return {"p50_us": round(cuts[49], 1), "p99_us": round(cuts[98], 1), "n": len(taken)}


def _conditions() -> dict[str, float]:
    """Microseconds of processor time that each condition takes once it is compiled."""
    action = made_up.judged(1)[0][0]
    # Each action's arguments answer a condition once, so that each execution takes its own.
    given = [
        Answers(action.arguments, action.argument_schema, action.numbers) for _ in range(EXECUTIONS)
    ]
    costs = {"binding the arguments": _mean(given, "true")}
    for which in range(len(made_up.CONDITIONS)):
        source = made_up.condition(which, 10_000)
        given[0].holds(source)
        costs[source] = _mean(given[1:], source)
    return costs


def _mean(given: Sequence[Answers], source: str) -> float:
    before = process_time()
    for answers in given:
        answers.holds(source)
    return round((process_time() - before) / len(given) * 1e6, 1)


def _simulator(rules: int, past: int) -> dict[str, Any]:
    return {
        "mixed": _simulated(made_up.policy(rules), past),
        "as shipped": _simulated(made_up.policy(0), past),
    }


def _simulated(policy: Policy, past: int) -> dict[str, Any]:
    """A lower threshold for low risk and half of the rules, with the curve over that threshold."""
    draft = policy.with_threshold("0.70", risk=Risk.LOW)
    draft = draft.model_copy(update={"rules": draft.rules[::2]})
    ends = (_as_published(draft.with_threshold(share)) for share in ("0", "1"))
    lowest, highest = ends
    comparison = Comparison(_as_published(policy), _as_published(draft), Times(), (lowest, highest))
    wall = cpu = 0.0
    calls = made_up.calls(past)
    # What makes them up takes longer than what is measured, and does not count.
    while batch := list(islice(calls, BATCH)):
        wall_before, cpu_before = perf_counter(), process_time()
        for call in batch:
            comparison.add(
                PastAction(
                    at=call["at"],
                    action=ProposedAction.model_validate(call["action"]),
                    confidence=Confidence.model_validate(call["confidence"]),
                    context=GateContext.model_validate(call["context"]),
                )
            )
        wall += perf_counter() - wall_before
        cpu += process_time() - cpu_before
    result = comparison.result(days=30)
    return {
        "actions": result["actions"],
        "reviews_now": result["reviews_now"],
        "reviews_then": result["reviews_then"],
        "cpu_seconds": round(cpu, 2),
        "wall_seconds": round(wall, 2),
    }


def _as_published(policy: Policy) -> PublishedPolicy:
    return PublishedPolicy(1, policy.digest(), policy)


def _lines(results: dict[str, Any]) -> list[str]:
    lines = [f"{'one judgement, µs':34} {'cpu p50':>9} {'p99':>9} {'wall p50':>9} {'p99':>9}"]
    for name, taken in results["gate"].items():
        numbers = [taken[clock][cut] for clock in ("cpu", "wall") for cut in ("p50_us", "p99_us")]
        title = f"{taken['rules']} rules, {name}"
        lines.append(f"{title:34}" + "".join(f" {number:9.1f}" for number in numbers))
    lines += ["", f"{'one condition':76} {'cpu µs':>7}"]
    lines += [f"{source:76} {cost:7.1f}" for source, cost in results["conditions"].items()]
    if results["simulator"]:
        lines += ["", f"{'simulated':34} {'actions':>9} {'cpu s':>9} {'wall s':>9}"]
    for name, taken in results["simulator"].items():
        lines.append(
            f"{name:34} {taken['actions']:9} {taken['cpu_seconds']:9.1f} {taken['wall_seconds']:9.1f}"
        )
    load = results["load_before"][0]
    lines += [
        "",
        f"Before: {results['busy_before']:.0%} busy, load {load} on {results['cores']} cores.",
    ]
    return lines


if __name__ == "__main__":
    sys.exit(main())
