"""The log for tools of others, as C2SP tlog-tiles lays it out below `/api/v1/audit/tlog`.

Checkpoint and tiles hold hashes alone, and the settings may open them to everybody. Entries are the events.
"""

import gzip
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router

from audit.merkle.tile_paths import read_bundle, read_tile
from audit.ports import caller_of
from audit.services.tlog import bundle_data, checkpoint_note, tile_data

hashes_router = Router(tags=["audit"])
router = Router()

TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
_FOR_GOOD: Final = "max-age=31536000, immutable"
_A_MOMENT: Final = "max-age=1"


def is_open(_request: HttpRequest) -> bool:
    """Whether anybody may read checkpoint and tiles, signed in or not."""
    return bool(settings.COUNTERSIGN.tlog_public)


def _answers(content_type: str, what: str) -> dict[str, Any]:
    return {"responses": {200: {"description": what, "content": {content_type: {}}}}}


@hashes_router.get(
    "audit/tlog/checkpoint",
    summary="The newest checkpoint, as signed",
    operation_id="read_tlog_checkpoint",
    openapi_extra=_answers("text/plain", "A C2SP tlog-checkpoint"),
)
def read_checkpoint(request: HttpRequest) -> HttpResponse:
    """The signed note itself (C2SP tlog-checkpoint). Needs the scope `audit`, unless it is open to all."""
    _may_read_hashes(request)
    return _kept(HttpResponse(checkpoint_note(), content_type=TEXT), _A_MOMENT, is_open(request))


@router.get(
    "audit/tlog/tile/entries/{path:bundle}",
    summary="A bundle of entries",
    operation_id="read_tlog_entries",
    openapi_extra=_answers(BYTES, "Entries, each after its length in two bytes"),
)
def read_entries(request: HttpRequest, bundle: str) -> HttpResponse:
    """Up to 256 events, byte for byte (C2SP tlog-tiles), `N` or `N.p/W`. Needs the scope `audit`."""
    caller_of(request).require("read_audit", scope="audit")
    data = bundle_data(read_bundle(bundle))
    answer = HttpResponse(data, content_type=BYTES)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        answer = HttpResponse(gzip.compress(data, mtime=0), content_type=BYTES)
        answer["Content-Encoding"] = "gzip"
    answer["Vary"] = "Accept-Encoding"
    return _kept(answer, _FOR_GOOD, for_all=False)


@hashes_router.get(
    "audit/tlog/tile/{path:tile}",
    summary="A tile of the tree",
    operation_id="read_tlog_tile",
    openapi_extra=_answers(BYTES, "Hashes of 32 bytes"),
)
def read_tile_hashes(request: HttpRequest, tile: str) -> HttpResponse:
    """Up to 256 hashes of one level (C2SP tlog-tiles), `L/N` or `L/N.p/W`. Needs the scope `audit`, unless it is
    open to all."""
    _may_read_hashes(request)
    data = tile_data(read_tile(tile))
    return _kept(HttpResponse(data, content_type=BYTES), _FOR_GOOD, is_open(request))


def _may_read_hashes(request: HttpRequest) -> None:
    if not is_open(request):
        caller_of(request).require("read_audit", scope="audit")


def _kept(answer: HttpResponse, span: str, for_all: bool) -> HttpResponse:
    """The answer, for caches: those of everybody only where everybody may read it."""
    answer["Cache-Control"] = f"{'public' if for_all else 'private'}, {span}"
    return answer
