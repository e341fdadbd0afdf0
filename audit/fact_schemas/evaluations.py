"""Facts of evaluations: suites that were played, and cases that people keep."""

from audit.fact_schemas.base import Facts, Id
from audit.schemas import Code, Count, Sha256


class EvaluationFacts(Facts):
    """A suite that was played with a version of an agent: how many cases, how often each, how many times a case
    was played in all, and how many of these passed. `by`: the person who began it, where one did."""

    evaluation: Id
    suite: Code
    suite_sha256: Sha256
    cases: Count
    repeat: Count
    played: Count
    passed: Count
    cost_micros: Count
    by: Id | None = None


class EvaluationCaseFacts(Facts):
    """A case of a suite by its id; its run stands in the event's `agent`, where it was made from one."""

    case: Id
    suite: Code
    edition: Count
