"""Sum a day again: all its figures are made anew from their rows, and those of its month from its days.

A day is one transaction. Whoever reads sees the sums of before or those of now.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet

from audit.clock import database_now
from audit.fault_points import reached
from insights.histograms import EDGES
from insights.models import Figure, PersonFigure, Touched
from insights.services.gather import progress_or_none
from insights.services.touch import touch
from insights.vocabulary import Measure, Span

# Requests are told apart by the same as runs; those of agents that run elsewhere have no version here.
_MISSING_SLICES: Final = """
INSERT INTO insights_slice (agent, version, category, tool)
SELECT found.agent, found.version, coalesce(known.definition ->> 'category', ''), found.tool
  FROM (SELECT agent, agent_version AS version, tool FROM approvals_approvalrequest
         WHERE state <> 'pending' AND decided_at >= %(begins)s AND decided_at < %(ends)s
         UNION
        SELECT agent.slug, version.digest, ''
          FROM (SELECT DISTINCT agent_id, agent_version_id FROM agents_run
                 WHERE created_at >= %(begins)s AND created_at < %(ends)s) AS run
          JOIN agents_hostedagent AS agent ON agent.id = run.agent_id
          JOIN agents_agentversion AS version ON version.id = run.agent_version_id) AS found
  LEFT JOIN agents_agentversion AS known ON known.digest = found.version
 WHERE NOT EXISTS (SELECT FROM insights_slice AS slice
                    WHERE (slice.agent, slice.version, slice.tool) = (found.agent, found.version, found.tool))
ON CONFLICT DO NOTHING
"""
_RUNS: Final = """
WITH fact AS MATERIALIZED (SELECT * FROM insights_runfact WHERE day = %(day)s),
call AS MATERIALIZED (
    SELECT slice.id AS slice_id, each.how, each.problem, each.arguments, each.n
      FROM fact
      JOIN insights_slice AS whole ON whole.id = fact.slice_id,
           LATERAL jsonb_to_recordset(fact.calls)
               AS each (tool text, how text, problem text, arguments jsonb, n integer)
      JOIN insights_slice AS slice ON TRUE
     WHERE (slice.agent, slice.version, slice.tool) = (whole.agent, whole.version, each.tool))
INSERT INTO insights_figure (span, day, measure, slice_id, key, number, total)
SELECT 'd', %(day)s::date, measure, slice_id, key, number, total FROM (
    SELECT 'started' AS measure, slice.id AS slice_id, '' AS key, sum(run.number) AS number, 0 AS total
      FROM (SELECT agent_id, agent_version_id, count(*) AS number FROM agents_run
             WHERE created_at >= %(begins)s AND created_at < %(ends)s AND undoes_id IS NULL AND NOT simulated
             GROUP BY 1, 2) AS run
      JOIN agents_hostedagent AS agent ON agent.id = run.agent_id
      JOIN agents_agentversion AS version ON version.id = run.agent_version_id
      JOIN insights_slice AS slice
        ON (slice.agent, slice.version, slice.tool) = (agent.slug, version.digest, '')
     GROUP BY 2
     UNION ALL
    SELECT 'result', slice_id, result, count(*), sum(cost_micros) FROM fact GROUP BY 2, 3
     UNION ALL
    SELECT 'band', slice_id, band || CASE result WHEN 'success' THEN ' success' ELSE ' other' END, count(*), 0
      FROM fact GROUP BY 2, 3
     UNION ALL
    SELECT 'failure', slice_id, failure, count(*), 0 FROM fact WHERE failure <> '' GROUP BY 2, 3
     UNION ALL
    SELECT 'retried', slice_id, '', count(*), sum(retries) FROM fact WHERE retries > 0 GROUP BY 2
     UNION ALL
    SELECT 'intervened', slice_id, '', count(*), sum(intervened_ms) FROM fact WHERE interventions > 0 GROUP BY 2
     UNION ALL
    SELECT 'resolved', slice_id, width_bucket(resolved_ms, %(edges)s::bigint[])::text, count(*), sum(resolved_ms)
      FROM fact GROUP BY 2, 3
     UNION ALL
    SELECT 'worked', slice_id, width_bucket(worked_ms, %(edges)s::bigint[])::text, count(*), sum(worked_ms)
      FROM fact GROUP BY 2, 3
     UNION ALL
    SELECT 'unpriced', slice_id, '', count(*), sum(unpriced) FROM fact WHERE unpriced > 0 GROUP BY 2
     UNION ALL
    SELECT 'provisional', slice_id, '', count(*), 0 FROM fact WHERE provisional GROUP BY 2
     UNION ALL
    SELECT 'call', slice_id, how, sum(n), 0 FROM call WHERE how <> '' GROUP BY 2, 3
     UNION ALL
    SELECT 'error', slice_id, left(problem, 80), sum(n), 0 FROM call WHERE problem <> '' GROUP BY 2, 3
     UNION ALL
    SELECT 'argument', slice_id, name, sum(n), 0
      FROM call, LATERAL jsonb_array_elements_text(call.arguments) AS name GROUP BY 2, 3
) AS made
"""
# How a request was closed is a word of its resolution; what nobody decided and no deadline ended was withdrawn.
_REQUESTS: Final = """
WITH closed AS MATERIALIZED (
SELECT request.id, slice.id AS slice_id, request.kind, request.risk_rank, request.decided_by_id,
       CASE WHEN request.decided_by_id IS NULL AND request.resolution ->> 'kind' IS DISTINCT FROM 'expired'
                THEN 'withdrawn'
            WHEN request.resolution ->> 'kind' = 'approved' AND request.resolution -> 'data' ->> 'edited' = 'true'
                THEN 'edited'
            ELSE coalesce(request.resolution ->> 'kind', 'withdrawn') END AS how,
       request.review_deadline, request.decided_at, request.created_at
  FROM approvals_approvalrequest AS request
  JOIN insights_slice AS slice
    ON (slice.agent, slice.version, slice.tool) = (request.agent, request.agent_version, request.tool)
 WHERE request.state <> 'pending' AND request.decided_at >= %(begins)s AND request.decided_at < %(ends)s),
summed AS (
INSERT INTO insights_figure (span, day, measure, slice_id, key, number, total)
SELECT 'd', %(day)s::date, measure, slice_id, key, number, total FROM (
    SELECT 'decided' AS measure, slice_id, how AS key, count(*) AS number, 0 AS total
      FROM closed GROUP BY 2, 3
     UNION ALL
    SELECT 'deadline', slice_id,
           CASE WHEN how = 'expired' OR decided_at > review_deadline THEN 'missed' ELSE 'met' END, count(*), 0
      FROM closed WHERE review_deadline IS NOT NULL AND how <> 'withdrawn' GROUP BY 2, 3
     UNION ALL
    SELECT 'to_decide', slice_id, width_bucket(ms, %(edges)s::bigint[])::text, count(*), sum(ms)
      FROM (SELECT slice_id, greatest(0, floor(extract(epoch FROM decided_at - created_at) * 1000))::bigint AS ms
              FROM closed WHERE decided_by_id IS NOT NULL) AS decided GROUP BY 2, 3
     UNION ALL
    SELECT 'to_look', slice_id, width_bucket(ms, %(edges)s::bigint[])::text, count(*), sum(ms)
      FROM (SELECT closed.slice_id,
                   greatest(0, floor(extract(epoch FROM min(viewing.opened_at) - closed.created_at) * 1000))::bigint
                       AS ms
              FROM closed JOIN approvals_viewing AS viewing ON viewing.request_id = closed.id
             GROUP BY closed.id, closed.slice_id, closed.created_at) AS looked GROUP BY 2, 3
) AS made)
INSERT INTO insights_personfigure
       (day, slice_id, person_id, verdicts, approved, risky, risky_approved, fast, timed, active_seconds)
SELECT %(day)s::date, slice_id, user_id, count(*), count(*) FILTER (WHERE approves), count(*) FILTER (WHERE risky),
       count(*) FILTER (WHERE risky AND approves), count(*) FILTER (WHERE risky AND approves AND fast),
       count(active_seconds), coalesce(sum(active_seconds), 0)
  FROM (SELECT closed.slice_id, vote.user_id, vote.verdict IN ('approve', 'edit') AS approves,
               closed.kind = 'action' AND closed.risk_rank >= 2 AS risky,
               vote.opened_at IS NULL OR vote.created_at - vote.opened_at < interval '3 seconds' AS fast,
               vote.active_seconds
          FROM closed JOIN approvals_vote AS vote ON vote.request_id = closed.id) AS voted
 GROUP BY slice_id, user_id
"""
_MONTH: Final = """
INSERT INTO insights_figure (span, day, measure, slice_id, key, number, total)
SELECT 'm', %(first)s::date, measure, slice_id, key, sum(number), sum(total) FROM insights_figure
 WHERE span = 'd' AND measure = ANY(%(measures)s) AND day >= %(first)s AND day < %(next)s
 GROUP BY measure, slice_id, key
"""


def sum_next_day() -> date | None:
    """Sum the newest day that is marked; None when none is, or somebody else is at it."""
    with transaction.atomic():
        day = _taken(Span.DAY, before=date.max)
        if day is not None:
            sum_day(day)
            touch([day.replace(day=1)], Span.MONTH)
            reached("insights.summed")
        return day


def sum_next_month() -> date | None:
    """The same of a month that is over, from its days; those of the month of now are read day by day."""
    with transaction.atomic():
        first = _taken(Span.MONTH, before=database_now().date().replace(day=1))
        if first is not None:
            _sums_of(Span.MONTH, first).delete()
            _run(_MONTH, {"measures": list(Measure), "first": first, "next": next_month(first)})
        return first


def sum_day(day: date) -> None:
    """All figures of the day, in the caller's transaction."""
    begins = datetime.combine(day, time(), UTC)
    given = {"day": day, "begins": begins, "ends": begins + timedelta(days=1), "edges": list(EDGES)}
    _sums_of(Span.DAY, day).delete()
    PersonFigure.objects.filter(day=day).delete()
    for statement in (_MISSING_SLICES, _RUNS, _REQUESTS):
        _run(statement, given)


def _sums_of(span: Span, day: date) -> QuerySet[Figure]:
    return Figure.objects.filter(span=span.value, measure__in=list(Measure), day=day)


def next_month(first: date) -> date:
    """The first day of the month after."""
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def _taken(span: Span, *, before: date) -> date | None:
    """The newest mark, which goes first: what changes from here on sets it anew."""
    if progress_or_none() is None:
        return None
    marks = Touched.objects.filter(span=span.value, day__lt=before)
    day = marks.order_by("-day").values_list("day", flat=True).first()
    if day is not None:
        Touched.objects.filter(span=span.value, day=day).delete()
    return day


def _run(statement: str, given: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
