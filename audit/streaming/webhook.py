"""A batch as one signed message of Standard Webhooks, version 1.

https://github.com/standard-webhooks/standard-webhooks. The same batch has the same `webhook-id` and the same bytes
however often it is sent; time and signature are those of the attempt.
"""

import datetime as dt
import re
from typing import Final

from standardwebhooks import Webhook as Signer

from audit.streaming import http
from audit.streaming.batches import Batch
from audit.streaming.forms import message
from audit.streaming.sinks import Webhook

_SECONDS: Final = re.compile(r"[0-9]{1,6}", re.ASCII)


def post(sink: Webhook, batch: Batch, seconds: float) -> None:
    """Post the batch, and hear that it was taken; raises `NotDelivered` and `SecretTrouble`."""
    content = message(batch, sink.format)
    headers = sink.further_headers() | signed_headers(
        batch.id, content, sink.signing_secrets(), dt.datetime.now(dt.UTC)
    )
    answer = http.post(sink.url, content, headers, seconds=seconds, ca_file=sink.ca_file)
    if not answer.is_well:
        asked = answer.headers.get("retry-after", "")
        raise answer.refusal(float(asked) if _SECONDS.fullmatch(asked) else None)


def signed_headers(
    message_id: str, content: bytes, secrets: list[str], moment: dt.datetime
) -> dict[str, str]:
    """The headers of a message that every one of the secrets signed."""
    signatures = [Signer(secret).sign(message_id, moment, content.decode()) for secret in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
