"""The door for providers: a signed word on what they had accepted. No token, no session: a signature."""

from __future__ import annotations

from base64 import b64encode
from secrets import token_bytes
from typing import Annotated, Any, Final, Literal

from django.conf import settings
from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agents.errors import CallbackInvalid, CallbackRefused
from agents.proposals import describe_errors
from agents.services.hear_callback import Callback, hear_callback
from agents.states import EffectState
from agents.webhooks import is_signed
from audit.canonical import loads_strict
from audit.clock import database_now
from audit.errors import TooLarge

router = Router()

MOST_BYTES: Final = 16_384
#: Stands in for the secret of a provider that is not known, so that asking takes as long.
NOBODY: Final = b64encode(token_bytes(32)).decode()


class CallbackIn(BaseModel):
    """What became of something that the provider had accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    reference: Annotated[str, Field(max_length=200)] = ""
    idempotency_key: Annotated[str, Field(max_length=120)] = ""
    state: Literal["confirmed", "bounced"]
    detail: Annotated[str, Field(max_length=2_000)] = ""

    @model_validator(mode="after")
    def _names_one(self) -> CallbackIn:
        if not self.reference and not self.idempotency_key:
            raise ValueError("name the effect by reference or idempotency_key")
        return self


DOCUMENT: Final[dict[str, Any]] = {
    "security": [],
    "parameters": [
        {"in": "header", "name": name, "required": True, "schema": {"type": "string"}}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": CallbackIn.model_json_schema()}},
    },
}


@router.post(
    "callbacks/{provider}",
    response=dict[str, str],
    auth=None,
    tags=["callbacks"],
    summary="A provider's word on what it had accepted",
    openapi_extra=DOCUMENT,
)
def post_callback(request: HttpRequest, provider: str) -> dict[str, str]:
    """Signed as in Standard Webhooks. Saying the same again is answered alike and changes nothing."""
    if len(request.body) > MOST_BYTES:
        raise TooLarge(f"A callback has at most {MOST_BYTES} bytes.")
    sent = request.headers
    known = settings.COUNTERSIGN.callback_secrets.get(provider)
    signed = is_signed(
        known or (NOBODY,),
        id=sent.get("webhook-id", ""),
        timestamp=sent.get("webhook-timestamp", ""),
        signatures=sent.get("webhook-signature", ""),
        body=request.body,
        now=database_now(),
    )
    if known is None or not signed:
        raise CallbackRefused
    body = _read(request.body)
    callback = Callback(
        id=sent["webhook-id"],
        state=EffectState(body.state),
        reference=body.reference,
        idempotency_key=body.idempotency_key,
        detail=body.detail,
    )
    hear_callback(provider=provider, callback=callback)
    return {"state": body.state}


def _read(body: bytes) -> CallbackIn:
    try:
        return CallbackIn.model_validate(loads_strict(body))
    except ValidationError as error:
        raise CallbackInvalid(describe_errors(error)) from error
