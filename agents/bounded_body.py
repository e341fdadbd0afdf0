"""Reading the body of an HTTP answer within a size and a time, however it is sent."""

from __future__ import annotations

import zlib
from contextlib import closing
from time import monotonic

from httpx2 import HTTPError, Response, TimeoutException

from agents.llm_types import ModelError

MAX_REPLY_BYTES = 4_000_000
PACKED = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def read_body(response: Response, *, until: float) -> bytes:
    """The body, unpacked, of an answer that is streamed; `until` is a moment of the monotonic clock.

    Never holds more than `MAX_REPLY_BYTES`, packed or unpacked. Raises ModelError where it is larger, comes
    too slowly, breaks off, or is packed in a way that was not asked for. The answer is closed in any case.
    """
    with closing(response):
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {*PACKED, "identity", ""}:
            raise ModelError(
                "model_reply_malformed",
                "The model server packed its reply in an unknown way.",
                True,
            )
        body = _raw(response, until)
        return _unpacked(body, PACKED[encoding]) if encoding in PACKED else body


def _raw(response: Response, until: float) -> bytes:
    body = bytearray()
    try:
        for piece in response.iter_raw():
            body += piece
            if len(body) > MAX_REPLY_BYTES:
                raise too_large()
            if monotonic() > until:
                raise ModelError(
                    "model_timeout", "The model's reply came too slowly: its time was up.", True
                )
    except TimeoutException as error:
        raise ModelError(
            "model_timeout", "The model's reply stopped coming: its time was up.", True
        ) from error
    except HTTPError as error:
        raise ModelError("model_reply_cut", "The model's reply broke off.", True) from error
    return bytes(body)


def _unpacked(body: bytes, window: int) -> bytes:
    unpacker = zlib.decompressobj(window)
    try:
        text = unpacker.decompress(body, MAX_REPLY_BYTES + 1)
    except zlib.error as error:
        raise ModelError(
            "model_reply_malformed", "The model server's reply could not be unpacked.", True
        ) from error
    if len(text) > MAX_REPLY_BYTES:
        raise too_large()
    if not unpacker.eof:
        raise ModelError("model_reply_cut", "The model's reply broke off.", True)
    return text


def too_large() -> ModelError:
    return ModelError("model_reply_too_large", "The model's reply was too large.", True)
