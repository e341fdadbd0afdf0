"""Facts of runs, model calls, actions and effects."""

from audit.fact_schemas.base import Codes, Facts, Id, Moment
from audit.schemas import BasisPoints, Code, Count, Sha256


class RunFacts(Facts):
    """Where a run stands. `why` is what moved it, `kind` the kind of request it waits for, `requests` how
    many were opened or set aside. `simulated`: its calls are answered from journals, and none is made; a fork
    has the first `fork_step` steps of the run `forked_from`."""

    step: Count | None = None
    epoch: Count | None = None
    wake_seq: Count | None = None
    why: Code | None = None
    kind: Code | None = None
    parent: Id | None = None
    depth: Count | None = None
    requests: Count | None = None
    wake_at: Moment | None = None
    simulated: bool | None = None
    forked_from: Id | None = None
    fork_step: Count | None = None


class RunVersionChanged(RunFacts):
    """A run goes on with another version of its agent. Both are digests of definitions."""

    from_version: Sha256
    to_version: Sha256


class MemoryDeleted(Facts):
    """What an agent wrote down was deleted: its id, and how many rows went with it."""

    memory: Id
    removed: Count


class RunDelegated(RunFacts):
    """A run started a run of another agent: its id, and that agent's slug."""

    child: Id
    to: Code


class RunForked(RunFacts):
    """A person forked a run: the id of the fork."""

    fork: Id


class RunEnded(RunFacts):
    """How a run ended and what it used."""

    state: Code | None = None
    failure: Code | None = None
    steps: Count | None = None
    model_calls: Count | None = None
    tool_calls: Count | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    cost_micros: Count | None = None


class ModelCalled(RunFacts):
    """A model call in counts: never its text."""

    model: Code | None = None
    served_model: Code | None = None
    endpoint: Code | None = None
    status: Code | None = None
    finish_reason: Code | None = None
    attempts: Count | None = None
    calls: Count | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    tokens_cached: Count | None = None
    cost_micros: Count | None = None
    latency_ms: Count | None = None


class ModelChanged(Facts):
    """Another model answered under the same name; `changes` is the number of names seen before. What the
    names are stands on the agent's page: a server writes them, and they are no codes of ours."""

    changes: Count


class ActionFacts(RunFacts):
    """A proposed tool call and what the gate went by."""

    tool_version: Code | None = None
    effect_class: Code | None = None
    effects: Codes | None = None
    reversible: bool | None = None
    threshold_bp: BasisPoints | None = None
    score_source: Code | None = None
    tainted: bool | None = None
    reasons: Codes | None = None


class EffectFacts(RunFacts):
    """One effect in the world: its id, idempotency key and class; whether it was read back and found."""

    effect: Id | None = None
    effect_class: Code | None = None
    key: Code | None = None
    revision: Count | None = None
    attempt: Count | None = None
    state: Code | None = None
    error: Code | None = None
    verified: bool | None = None
    provider: Code | None = None
    callback: Code | None = None
    latency_ms: Count | None = None
