"""Send a finished file without holding it in memory."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

CONTENT_TYPES: Final = {
    "bundle": "application/zip",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
}
_BLOCK = 256 * 1024


def file_response(
    request: HttpRequest, path: Path, *, name: str, content_type: str
) -> HttpResponseBase:
    """The file as an attachment. Under ASGI a synchronous iterator would be collected whole first."""
    if not isinstance(request, ASGIRequest):
        return FileResponse(
            path.open("rb"), as_attachment=True, filename=name, content_type=content_type
        )
    file = path.open("rb")
    response = StreamingHttpResponse(_blocks(file), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Length"] = str(path.stat().st_size)
    return response


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    read = sync_to_async(file.read, thread_sensitive=False)
    try:
        while block := await read(_BLOCK):
            yield block
    finally:
        file.close()
