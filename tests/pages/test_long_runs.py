"""A run of thousands of steps in a real browser: scrolled through from end to beginning, and beside it one step."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil

from playwright.sync_api import Page, Route, expect

from accounts.models import User
from agents.events import announce
from agents.models import Run
from agents.windows import SIZE
from tests.harness.stack import Stack
from tests.pages.long_runs import add_steps, long_run

PageFor = Callable[..., Page]
STEPS = 5_000
# What is waited for comes at once on an idle machine, and later on one that runs other tests.
expect.set_options(timeout=20_000)
# Notes each step that stands in the window of the browser, and the most that ever stood in the page.
WATCH = """() => {
  window.seen = new Set(); window.most = 0;
  const look = () => {
    const rows = document.querySelectorAll('#timeline .step');
    window.most = Math.max(window.most, rows.length);
    const now = [...rows].filter((row) => { const { top, bottom } = row.getBoundingClientRect();
      return bottom > 0 && top < innerHeight; }).map((row) => Number(row.id.slice(5)));
    for (let at = 1; at < now.length; at += 1) if (now[at] !== now[at - 1] + 1) window.broken = [now[at - 1], now[at]];
    now.forEach((seq) => window.seen.add(seq));
  };
  window.look = look;
}"""
# Scrolls up by less than a screen, and waits where steps are still on their way.
UPWARDS = """async () => {
  const top = () => document.getElementById('timeline').getBoundingClientRect().top;
  const away = () => [...document.querySelectorAll('.window[data-away]')].some((one) => {
    const { top, bottom } = one.getBoundingClientRect(); return bottom > 0 && top < innerHeight; });
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const until = performance.now() + 240_000;
  while (performance.now() < until) {
    while (away() && performance.now() < until) await frame();
    window.look();
    if (top() > 0) return true;
    scrollBy({ top: -innerHeight * 0.7, behavior: 'instant' });
    await frame();
  }
  return false;
}"""


def test_five_thousand_steps_are_scrolled_through_from_end_to_beginning_and_the_page_stays_small(
    site: Stack, page_for: PageFor, operator: User
) -> None:
    run = long_run(operator, "refund-desk", STEPS)
    page = page_for(operator)
    page.goto(f"/runs/{run.pk}/")
    expect(page.locator("#live-pill")).to_have_text("Live")
    assert page.locator("#timeline > .window").count() == ceil(STEPS / SIZE)
    page.get_by_role("link", name="the newest").click()
    expect(page.locator(f"#step-{STEPS}")).to_be_in_viewport()
    page.evaluate(WATCH)
    assert page.evaluate(UPWARDS), "it did not come to the beginning"
    seen = page.evaluate("[...window.seen].sort((one, other) => one - other)")
    assert seen == list(range(1, STEPS + 1))
    assert page.evaluate("window.broken ?? null") is None
    assert page.evaluate("window.most") <= 900


def test_what_was_opened_is_open_again_what_was_typed_stays_and_new_steps_come_at_the_end(
    site: Stack, page_for: PageFor, operator: User
) -> None:
    run = long_run(operator, "refund-desk", 2_000, state="waiting")
    page = page_for(operator)
    page.goto(f"/runs/{run.pk}/#step-1001")
    step = page.locator("#step-1001")
    expect(step).to_be_in_viewport()
    expect(step.locator(".step-body").first).to_contain_text("mark 1001")
    page.evaluate("document.getElementById('step-1003-fold').open = true")
    page.get_by_role("link", name="the newest").click()
    expect(page.locator("#step-2000")).to_be_in_viewport()
    expect(step).to_have_count(0)
    page.evaluate("location.hash = '#step-1002'")
    expect(page.locator("#step-1002")).to_be_in_viewport()
    expect(page.locator("#step-1003-fold")).to_have_attribute("open", "")
    before = page.evaluate("document.getElementById('step-1002').getBoundingClientRect().top")
    add_steps(run, 2_001, 2_150)
    Run.objects.filter(pk=run.pk).update(step_count=2_150, version=2)
    run.refresh_from_db()
    announce(run, "stepped")
    expect(page.locator("#timeline-jump")).to_contain_text("2,150 steps")
    assert page.locator("#timeline > .window").count() == ceil(2_150 / SIZE)
    after = page.evaluate("document.getElementById('step-1002').getBoundingClientRect().top")
    assert abs(after - before) < 2
    expect(page.locator("#step-1003-fold")).to_have_attribute("open", "")
    page.get_by_role("link", name="the newest").click()
    expect(page.locator("#step-2150")).to_be_in_viewport()


def test_a_step_opens_beside_the_timeline_under_an_address_and_back_leads_to_the_one_before(
    site: Stack, page_for: PageFor, operator: User
) -> None:
    run = long_run(operator, "refund-desk", 300)
    page = page_for(operator, viewport={"width": 1280, "height": 900})
    page.goto(f"/runs/{run.pk}/")
    page.get_by_role("link", name="All of step 3", exact=True).click()
    panel = page.locator("#step-panel")
    expect(panel.get_by_role("heading", level=3).first).to_be_focused()
    expect(panel).to_contain_text("mark 3")
    expect(page).to_have_url(re.compile(r"\?step=3$"))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/steps/4/", hold)
    panel.get_by_role("link", name="Step after").click()
    # What takes its time is seen to be on its way, and the step before stays until it is there.
    expect(panel).to_have_class(re.compile(r"\bworking\b"))
    expect(panel).to_have_attribute("aria-busy", "true")
    expect(panel).to_contain_text("mark 3")
    held.pop().continue_()
    expect(panel).to_contain_text("mark 4")
    expect(page.locator('.step-link[aria-current="true"]')).to_have_text("All of step 4")
    page.go_back()
    expect(panel).to_contain_text("mark 3")
    page.go_back()
    expect(panel).to_have_count(0)
    expect(page.locator('.step-link[data-beside="3"]')).to_be_focused()
    page.go_forward()
    expect(panel).to_contain_text("mark 3")
    page.reload()
    # A key that is pressed before the scripts listen goes to nobody.
    expect(page.locator("#live-pill")).to_have_text("Live")
    expect(panel).to_contain_text("mark 3")
    page.keyboard.press("Tab")
    panel.get_by_role("link", name="Own page").focus()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    narrow = page_for(operator, viewport={"width": 390, "height": 800})
    narrow.goto(f"/runs/{run.pk}/")
    narrow.get_by_role("link", name="All of step 3", exact=True).click()
    expect(narrow).to_have_url(re.compile(r"/steps/3/$"))
    without = page_for(operator, java_script_enabled=False)
    without.goto(f"/runs/{run.pk}/?step=3")
    expect(without.locator("#step-panel")).to_contain_text("mark 3")
    without.get_by_role("link", name="Step after").click()
    expect(without.locator("#step-panel")).to_contain_text("mark 4")
    without.get_by_role("link", name="Close").click()
    expect(without.locator("#step-panel")).to_have_count(0)
