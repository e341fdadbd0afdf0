"""The tables of states and verdicts."""

from __future__ import annotations

from approvals.states import TRANSITIONS, VERDICTS, RequestState, sources_of
from approvals.vocabulary import Friction, Kind, Risk, Verdict

S = RequestState


def test_every_state_stands_in_the_table() -> None:
    assert set(TRANSITIONS) == set(S)


def test_only_pending_and_approved_lead_anywhere() -> None:
    assert {state for state, targets in TRANSITIONS.items() if targets} == {S.PENDING, S.APPROVED}
    assert TRANSITIONS[S.APPROVED] == {S.CONSUMED, S.LAPSED, S.PENDING, S.SUPERSEDED}


def test_nothing_is_approved_but_from_pending_and_consumed_but_from_approved() -> None:
    assert sources_of(S.APPROVED) == (S.PENDING,)
    assert sources_of(S.CONSUMED) == (S.APPROVED,)


def test_every_kind_takes_verdicts_that_its_table_can_reach() -> None:
    assert set(VERDICTS) == set(Kind)
    for kind, verdicts in VERDICTS.items():
        for verdict, consequence in verdicts.items():
            assert consequence.state in TRANSITIONS[S.PENDING], (kind, verdict)


def test_only_actions_are_approved_or_edited() -> None:
    for verdict in (Verdict.APPROVE, Verdict.EDIT):
        assert [kind for kind in Kind if verdict in VERDICTS[kind]] == [Kind.ACTION]


def test_risks_are_ordered_by_harm_and_not_by_letters() -> None:
    assert sorted([Risk.CRITICAL, Risk.LOW, Risk.HIGH, Risk.MEDIUM]) == list(Risk)
    assert Risk.CRITICAL > Risk.HIGH >= Risk.HIGH > Risk.MEDIUM > Risk.LOW
    assert max(Risk.LOW, Risk.CRITICAL) is Risk.CRITICAL


def test_a_second_factor_is_the_strongest_friction() -> None:
    assert max(Friction, key=lambda friction: friction.rank) is Friction.SECOND_FACTOR
