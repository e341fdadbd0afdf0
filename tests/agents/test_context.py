"""What the model is sent: within its budget, the task always there, calls paired with their results, and stable."""

from __future__ import annotations

import gc
import json
import weakref
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.authoring import Agent, Category, DefinitionError
from agents.context import Context, _parts, build_context, room_of
from agents.context_plan import HEAD, LINES_SHARE, MOST_LINES, SPOKEN_HEAD, SUMMARY
from agents.models import Run, Step
from agents.shortening import PER_MESSAGE, Exchange, tokens, tokens_of
from agents.states import StepKind, StepState

TASK = "Settle the ticket of order ORD-10042."
START = datetime(2026, 11, 21, tzinfo=UTC)
texts = st.one_of(
    st.text(max_size=40),
    st.builds(
        lambda word, times: word * times, st.text(min_size=1, max_size=8), st.integers(1, 4_000)
    ),
)
words = st.builds(lambda text: ("words", text), st.text(max_size=60))
replies = st.builds(
    lambda made: ("reply", made),
    st.lists(st.tuples(texts, st.text(max_size=600), st.booleans()), max_size=5),
)
journals = st.lists(st.one_of(words, replies, replies, replies), max_size=40)


def agent_with(context_tokens: int) -> Agent:
    return Agent(
        slug="reader",
        title="Reader",
        category=Category.BOUNDED,
        owner="finance",
        instructions="You read.",
        tools=[],
        context_tokens=context_tokens,
    )


AGENTS = {size: agent_with(size) for size in (4_000, 8_000, 20_000)}


class Written:
    """A journal in memory."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def _add(self, kind: StepKind, **more: Any) -> Step:
        seq = len(self.steps) + 1
        at = START + timedelta(seconds=seq)
        step = Step(seq=seq, kind=kind, state=StepState.SUCCEEDED, started_at=at, **more)
        self.steps.append(step)
        return step

    def says(self, text: str) -> None:
        """A person says something."""
        at = (START + timedelta(seconds=len(self.steps))).isoformat()
        self._add(StepKind.MESSAGE, name="message", request={"text": text, "sent_at": at})

    def replies(self, calls: list[tuple[Any, str, bool]]) -> None:
        """The model replies with these calls: result, argument, and whether a person says something in it."""
        made = [
            {
                "id": f"c{len(self.steps)}-{place}",
                "type": "function",
                "function": {"name": "look", "arguments": json.dumps({"what": argument})},
            }
            for place, (_, argument, _) in enumerate(calls)
        ]
        message = {"content": None if made else "Well.", "tool_calls": made}
        self._add(StepKind.MODEL, name="m", response={"choices": [{"message": message}]})
        for (result, argument, spoken), call in zip(calls, made, strict=True):
            output = {"status": "done", "trust": "untrusted", "result": result}
            if spoken:
                output = {
                    "status": "rejected",
                    "message": result,
                    "feedback": f"No: {argument[:9]}",
                }
            self._add(
                StepKind.TOOL,
                name="look",
                call_id=call["id"],
                arguments={"what": argument},
                output=output,
            )


def built(written: Written, agent: Agent) -> Context:
    return build_context(agent, Run(input={"text": TASK}), written.steps)


def weight_of(context: Context) -> int:
    return sum(map(tokens_of, context.request["messages"]))


@settings(max_examples=150)
@given(journals, st.sampled_from(sorted(AGENTS)))
def test_whatever_happened_what_is_sent_is_sound(journal: list[Any], size: int) -> None:
    written, agent = Written(), AGENTS[size]
    room, said = room_of(agent), 0
    levels: dict[str, int] = {}
    for kind, content in journal:
        if kind == "words":
            written.says(content)
            said += 1
        else:
            written.replies(content)
        context = built(written, agent)
        messages = context.request["messages"]
        # Never above the budget, unless what is never shortened is.
        assert context.fits == (weight_of(context) <= room)
        assert context.fits or least_of(written, agent) > room
        # The task is there, in its place.
        assert messages[1] == {"role": "user", "content": TASK}
        assert_paired(messages)
        assert_spoken(written, messages)
        # What was shortened once stays shortened.
        now = levels_of(written, context)
        assert all(now[name] >= level for name, level in levels.items())
        levels = now
        # The same journal gives the same request, byte for byte.
        assert built(written, agent) == context


def least_of(written: Written, agent: Agent) -> int:
    """What cannot be made shorter: instructions, task, what people said, the newest exchange with references,
    and the list of the others with what people said in them."""
    messages = built(written, agent).request["messages"][:2]
    exchanges = [part for part in _parts(written.steps) if isinstance(part, Exchange)]
    words = [each for part in _parts(written.steps) if isinstance(part, list) for each in part]
    newest = exchanges[-1].referenced(room_of(agent)).tokens if exchanges else 0
    spoken = sum(tokens(said) + 1 for each in exchanges[:-1] for said in each.spoken)
    listed = (
        PER_MESSAGE + tokens(HEAD) + tokens(SPOKEN_HEAD) + SUMMARY + room_of(agent) // LINES_SHARE
    )
    return sum(map(tokens_of, [*messages, *words])) + newest + spoken + listed


def assert_paired(messages: list[dict[str, Any]]) -> None:
    """Every call is followed by its results, in order, and by nothing else before them."""
    place = 0
    while place < len(messages):
        made = [call["id"] for call in messages[place].get("tool_calls") or ()]
        for call in messages[place].get("tool_calls") or ():
            json.loads(call["function"]["arguments"])
        place += 1
        for name in made:
            assert (messages[place]["role"], messages[place]["tool_call_id"]) == ("tool", name)
            place += 1
        if place < len(messages):
            assert messages[place]["role"] != "tool"


def assert_spoken(written: Written, messages: list[dict[str, Any]]) -> None:
    """Nothing that a person said is lost."""
    contents = [message["content"] or "" for message in messages]
    whole = "\n".join(contents)
    for step in written.steps:
        if step.kind == StepKind.MESSAGE:
            assert f"A person says: {step.request['text']}" in contents  # type: ignore[index]
        elif spoken := (step.output or {}).get("feedback"):
            assert json.dumps({"feedback": spoken}, ensure_ascii=False)[1:-1] in whole


def levels_of(written: Written, context: Context) -> dict[str, int]:
    """By call: 0 whole, 1 shortened, 2 listed."""
    sent = {
        message["tool_call_id"]: message["content"]
        for message in context.request["messages"]
        if message["role"] == "tool"
    }
    return {
        step.call_id: 2
        if step.call_id not in sent
        else int(sent[step.call_id] != json.dumps(step.output, ensure_ascii=False, sort_keys=True))
        for step in written.steps
        if step.call_id
    }


def long(number: int, size: int = 2_000) -> Written:
    written = Written()
    for each in range(number):
        written.replies([(f"line {each}\n" + "x" * size, f"ORD-{each}", False)])
    return written


def test_a_small_journal_is_sent_whole_and_without_notes() -> None:
    context = built(long(3), agent_with(100_000))
    assert (context.notes, context.fits) == ({}, True)
    assert [message["role"] for message in context.request["messages"]] == [
        "system",
        "user",
        *["assistant", "tool"] * 3,
    ]


def test_an_old_result_becomes_a_reference_that_says_which_step_holds_it() -> None:
    context = built(long(12), AGENTS[8_000])
    referenced = context.notes["shortened"]
    told = next(m for m in context.request["messages"] if m["role"] == "tool")
    assert json.loads(told["content"]) == {
        "status": "done",
        "trust": "untrusted",
        "reference": f"result {referenced[0]}: look, done, 2,007 characters, first line: line 0",
    }
    assert context.request["messages"][-1]["content"].count("x" * 2_000) == 1
    assert context.notes["tokens"] == weight_of(context) <= room_of(AGENTS[8_000])


def test_very_old_exchanges_are_lines_of_one_list_and_the_oldest_are_counted() -> None:
    context = built(long(300), AGENTS[8_000])
    listed = context.request["messages"][2]
    assert listed["role"] == "user"
    assert listed["content"].startswith(HEAD)
    lines = [line for line in listed["content"].splitlines() if line.startswith("step ")]
    assert 10 < len(lines) <= MOST_LINES
    gone = context.notes["exchanges_listed"]
    assert f"Before these, by number: look {gone - len(lines)}." in listed["content"]
    assert lines[-1] == f"step {2 * gone}: look(ORD-{gone - 1}) done"


def test_what_is_sent_begins_the_same_way_for_many_calls() -> None:
    written, changes, before = Written(), 0, []
    for each in range(200):
        written.replies([("x" * 1_000, f"ORD-{each}", False)])
        messages = built(written, AGENTS[20_000]).request["messages"]
        changes += messages[: len(before)] != before
        before = messages
    assert 1 <= changes <= 20


def test_the_newest_result_alone_cannot_fill_the_room_and_begins_with_an_excerpt() -> None:
    written = Written()
    written.replies([("y" * 500_000, "ORD-1", False), ("short", "ORD-2", False)])
    context = built(written, AGENTS[8_000])
    first, second = (json.loads(m["content"]) for m in context.request["messages"][-2:])
    assert first["reference"].startswith("result 2: look, the first ")
    assert first["reference"].endswith(" of 500,000 characters")
    assert len(first["excerpt"]) > 3_000
    assert second["result"] == "short"
    assert context.fits


def test_a_hundred_parallel_results_share_the_room() -> None:
    written = Written()
    written.replies([("z" * 50_000, f"ORD-{each}", False) for each in range(64)])
    context = built(written, AGENTS[20_000])
    assert context.fits
    assert weight_of(context) <= room_of(AGENTS[20_000])


def test_what_people_said_is_kept_even_where_it_does_not_fit_and_that_is_told() -> None:
    written = Written()
    for _ in range(30):
        written.says("m" * 1_000)
    context = built(written, AGENTS[4_000])
    assert not context.fits
    assert sum("m" * 1_000 in message["content"] for message in context.request["messages"]) == 30


def test_tokens_are_never_estimated_below_what_letters_take() -> None:
    assert tokens("") == 0
    assert tokens("a" * 12) == 5
    assert tokens("漢" * 10) == 15
    assert tokens("🙂" * 10) == 20
    assert tokens("\ud800") >= 1


def test_a_context_that_holds_nothing_is_refused_where_it_is_declared() -> None:
    with pytest.raises(DefinitionError, match="context_tokens"):
        agent_with(10)


def test_notes_are_not_sent() -> None:
    assert set(built(long(50), AGENTS[8_000]).request) == {
        "messages",
        "tools",
    }


def test_a_run_that_is_done_with_keeps_no_step_in_memory() -> None:
    written = Written()
    written.replies([("a long result " * 50, "A1", False)])
    held = [weakref.ref(step) for step in written.steps]
    built(written, AGENTS[8_000])
    written.steps.clear()
    gc.collect()
    assert [ref() for ref in held] == [None, None]
