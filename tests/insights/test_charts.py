"""Charts as geometry: in percent of a plot across, so that a phone reads the same words."""

from __future__ import annotations

from datetime import date

from insights.charts import FEWEST_COLUMNS, HEIGHT, stacked
from insights.forms import InsightsForm


def test_columns_fill_the_plot_and_parts_stand_on_each_other() -> None:
    days = [(f"{day} Nov", f"{day} Nov: some", [("accent", day), ("high", 2)]) for day in range(30)]
    chart = stacked(days)
    assert chart is not None
    assert chart.marks == [(0, 40), (HEIGHT / 2, 20), (HEIGHT, 0)]
    last = chart.columns[-1]
    assert 99 < last.left + last.room < 101
    assert last.left < last.x < last.x + last.width < last.left + last.room
    below, above = last.blocks
    assert below.y + below.height == HEIGHT
    assert abs(above.y + above.height - below.y) < 0.1
    assert [(each.text, each.spare) for each in chart.labels][:3] == [
        ("0 Nov", False),
        ("5 Nov", True),
        ("10 Nov", False),
    ]
    # A part of nothing is not drawn.
    assert len(chart.columns[0].blocks) == 1


def test_a_single_day_is_no_wall_and_nothing_is_no_chart() -> None:
    chart = stacked([("22 Nov", "22 Nov: 1", [("accent", 1)])])
    assert chart is not None
    assert chart.columns[0].width < 100 / FEWEST_COLUMNS
    assert chart.marks == [(0, 1), (HEIGHT, 0)]
    assert stacked([("22 Nov", "", [("accent", 0)])]) is None


def test_the_form_shows_the_period_that_it_means() -> None:
    today = date(2026, 11, 22)
    assert InsightsForm({}, today=today)["period"].value() == "month"
    assert InsightsForm({"agent": "a"}, today=today)["period"].value() == "month"
    assert InsightsForm({"period": "week"}, today=today)["period"].value() == "week"
    chosen = InsightsForm({"since": "2026-11-01"}, today=today)
    assert not chosen["period"].value()
    assert chosen.is_valid()
    assert chosen.chosen_period.until == today
