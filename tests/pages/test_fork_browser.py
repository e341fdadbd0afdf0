"""From the page of a failed run to a fork that succeeds, with another model, in a few clicks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from accounts.callers import Caller
from accounts.models import User
from agents.models import EffectRecord, Run
from agents.services.control import cancel_run
from agents.services.start_run import start_run
from demo.agents import refund_desk
from tests.agents.test_prices import price
from tests.harness.looks import troubles_of
from tests.harness.people import person
from tests.harness.stack import Stack
from tests.model_server import Answer, ModelServer, final, says

# What comes at once on an idle machine comes later on one that runs other tests.
expect.set_options(timeout=20_000)


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """The model that is set up gives no usable call; another one of its server does."""

    def answer(request: dict[str, Any]) -> Answer:
        if request["model"] == "weak":
            return says("Hm.")
        return final(outcome="answered", order="ORD-10001", message="There is nothing to refund.")

    server = ModelServer(answer)
    yield server
    server.close()


def test_from_a_failed_run_to_a_fork_that_succeeds_in_three_clicks(
    stack: Callable[..., Stack],
    model: ModelServer,
    context_for: Callable[..., BrowserContext],
    operator: User,
) -> None:
    price(person("controller", "admin"), "strong")
    site = stack(openai_base_url=model.url, openai_api_key="test", openai_model="weak").run()
    text, caller = refund_desk.examples[0].input, Caller.of_session(operator)
    run, _ = start_run(agent="refund-desk", input=text, caller=caller)
    site.wait_for(
        lambda: Run.objects.filter(pk=run.pk, state="waiting").exists(), what="nobody answers"
    )
    cancel_run(run_id=run.pk, reason="", caller=caller)

    page = context_for(operator, site.url).new_page()
    page.goto(f"/runs/{run.pk}/")
    page.get_by_role("link", name="Fork", exact=True).click()
    assert troubles_of(page, within="main") == []
    page.get_by_label("Model").fill("strong")
    page.get_by_role("button", name="Fork the run").click()
    expect(page.locator("#run-tags")).to_contain_text("Succeeded")
    expect(page.locator("#run-tags")).to_contain_text("Fork")
    expect(page.locator("#run-answer")).to_contain_text("There is nothing to refund.")
    assert troubles_of(page, within="main") == []
    made = Run.objects.get(forked_from=run)
    assert not EffectRecord.objects.filter(run=made).exists()
    page.get_by_role("link", name="side by side").click()
    expect(page.get_by_role("heading", name="Two runs side by side")).to_be_visible()
    page.goto(f"/runs/{run.pk}/")
    page.get_by_role("link", name="Replay", exact=True).click()
    expect(page.locator("#replay-says")).to_contain_text("as they were")
    assert troubles_of(page, within="main") == []
