"""Everything about one run or one request, oldest first, in sentences."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from audit.api.shapes import Moment
from audit.errors import NotFound
from audit.fact_schemas import moment_text
from audit.ports import caller_of
from audit.story import About, story_of

router = Router()


class UnknownStory(NotFound):
    """No event is about this run or request."""

    code = "unknown_story"

    def __init__(self, about: About, pk: UUID) -> None:
        super().__init__(f"No event is about a {about} {pk}.", params={about: str(pk)})


class LineOut(Schema):
    """One event of a story, in words."""

    event: UUID
    type: str
    time: Moment
    sentence: str


class StoryOut(Schema):
    """What happened, oldest first, at most a thousand events; `more` where others follow, to be had from
    `audit/events`.

    `missing` counts numbers of its streams that are not there: dropped after their time, or deleted.
    """

    items: list[LineOut]
    missing: int
    more: bool
    took_seconds: float


@router.get(
    "audit/runs/{uuid:run_id}/story",
    response=StoryOut,
    summary="The story of a run",
    operation_id="read_run_story",
)
def read_run_story(request: HttpRequest, run_id: UUID) -> StoryOut:
    """Everything about a run, its requests included. Needs the scope `audit`."""
    return _told(request, "run", run_id)


@router.get(
    "audit/requests/{uuid:request_id}/story",
    response=StoryOut,
    summary="The story of a request",
    operation_id="read_request_story",
)
def read_request_story(request: HttpRequest, request_id: UUID) -> StoryOut:
    """Everything about a request. Needs the scope `audit`."""
    return _told(request, "request", request_id)


def _told(request: HttpRequest, about: About, pk: UUID) -> StoryOut:
    caller = caller_of(request)
    caller.require("read_audit", scope="audit")
    story = story_of(about, pk, viewer=caller.user)
    if story is None:
        raise UnknownStory(about, pk)
    return StoryOut(
        items=[
            LineOut(
                event=line.row.event.pk,
                type=line.row.event.type,
                time=moment_text(line.row.event.occurred_at),
                sentence=line.row.sentence,
            )
            for line in story.lines
        ],
        missing=story.missing,
        more=story.more,
        took_seconds=story.took.total_seconds(),
    )
