"""Stored filters as an auditor reads them."""

import pytest

from accounts.models import User
from audit.filter_words import in_words
from audit.filters import EventFilter

RUN = "01a1fae6-52ea-7d20-9c84-529a0f2dd01c"


@pytest.mark.django_db
def test_people_have_names_and_moments_are_dates(auditor: User) -> None:
    chosen = EventFilter.model_validate(
        {"until": "2026-03-01T01:00:00+01:00", "person": auditor.username, "run": RUN}
    )
    unknown = {"person": "4711"}
    (person, run, until), (nobody,) = in_words([chosen.resolved().given(), unknown])
    assert (person.label, person.value, person.short) == ("Person", "auditor", "person auditor")
    assert (run.label, run.value, run.short) == ("Run", RUN, f"run …{RUN[-8:]}")
    assert (until.label, until.value) == ("Before", "1 March 2026, 00:00:00 UTC")
    assert nobody.value == "person 4711"


@pytest.mark.django_db
def test_every_condition_of_the_search_has_a_word() -> None:
    given = dict.fromkeys(EventFilter.model_fields, "2026-03-01T00:00:00Z")
    (conditions,) = in_words([given])
    assert len(conditions) == len(EventFilter.model_fields)
