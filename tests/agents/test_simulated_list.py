"""Simulated runs in lists: alone, left out, or among the others."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from accounts.models import ReviewGroup, User
from agents.models import Run
from tests.insights.history import History

Login = Callable[[Client, User], Client]


def test_simulated_runs_are_listed_alone_or_left_out(
    client: Client, login: Login, operator: User, finance: ReviewGroup
) -> None:
    History(1, [operator, operator, operator], finance).write(36)
    simulated = {str(pk) for pk in Run.objects.filter(simulated=True).values_list("pk", flat=True)}
    runs = {str(pk) for pk in Run.objects.values_list("pk", flat=True)}
    assert 0 < len(simulated) < len(runs)
    login(client, operator)
    # What its made-up journal holds is no page's to show.
    for run in Run.objects.all():
        run.steps.all().delete()
    for query, found in {
        "": runs,
        "simulated=only": simulated,
        "simulated=without": runs - simulated,
        "simulated=only&tasks=1": set(),
    }.items():
        ids, address = set(), f"/runs/?{query}"
        while address:
            page = client.get(address)
            ids |= {str(row.run.pk) for row in page.context["rows"]}
            # It goes along to the next page.
            address = page.context["next_url"]
        assert ids == found, query
        if "tasks" not in query:
            listed = client.get(f"/api/v1/runs?limit=200&{query}").json()["items"]
            assert {each["id"] for each in listed} == found, query
            assert {each["id"] for each in listed if each["simulated"]} == found & simulated
    assert client.get("/runs/?simulated=some").status_code == 422
    assert client.get("/api/v1/runs?simulated=some").status_code == 422
