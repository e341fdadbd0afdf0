"""Mail that the provider carries: accepted at once, and a moment later confirmed or bounced by a signed callback.

What goes to an address with *bounce* in it bounces. The callback is signed as Standard Webhooks say.
"""

from __future__ import annotations

import json
import threading
import time
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from agents.webhooks import sign
from demo.provider.journal import Answer, problem

MOST_TRIES = 60
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
ANSWER_SECONDS = 10


class Deliveries:
    """Tells the shop what became of its mail. `secret` is empty where nobody would believe it."""

    def __init__(self, secret: str, closing: threading.Event) -> None:
        self.secret, self.closing = secret, closing

    def accept(self, key: str, body: Any) -> Answer:
        """202 with our reference; the same key gets the same one, and the callback again."""
        if not self.secret:
            return Answer(
                503, problem("no_callbacks", "There is no secret to sign callbacks with.")
            )
        wrong = _fault_in(key, body)
        if wrong:
            return Answer(422, problem("body_invalid", wrong))
        reference = f"ml_{sha256(key.encode()).hexdigest()[:24]}"
        arguments = (body["callback"], reference, body["recipient"])
        threading.Thread(target=self._tell, args=arguments, daemon=True).start()
        return Answer(202, {"reference": reference, "status": "accepted"})

    def _tell(self, callback: str, reference: str, recipient: str) -> None:
        """Send the callback until it is taken or refused for good."""
        bounced = "bounce" in recipient
        said = {"reference": reference, "state": "bounced" if bounced else "confirmed"}
        if bounced:
            said["detail"] = "550 5.1.1 The address does not exist."
        content, pause = json.dumps(said).encode(), FIRST_PAUSE_SECONDS
        for _ in range(MOST_TRIES):
            # Also before the first try: whoever handed the mail over is to note it first.
            if self.closing.wait(pause) or self._is_heard(callback, reference, content):
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _is_heard(self, callback: str, reference: str, content: bytes) -> bool:
        moment = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": reference,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign(self.secret, id=reference, timestamp=moment, body=content),
        }
        address = urlsplit(callback)
        shop = HTTPConnection(address.hostname or "", address.port or 80, timeout=ANSWER_SECONDS)
        try:
            shop.request("POST", address.path or "/", content, headers)
            return shop.getresponse().status < 500
        except (OSError, HTTPException):
            return False
        finally:
            shop.close()


def _fault_in(key: str, body: Any) -> str:
    if not key:
        return "Send an Idempotency-Key header."
    if not isinstance(body, dict) or set(body) != {"recipient", "callback"}:
        return "Send an object with recipient and callback."
    if not all(isinstance(value, str) and value for value in body.values()):
        return "recipient and callback are texts."
    if not body["callback"].startswith("http://"):
        return "callback is an http address."
    return ""
