"""The payment provider, reached over HTTP with time-outs. Every call carries a key that makes it safe to send again."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

from demo.errors import OutcomeUnknown, ProviderBusy, ProviderRefused

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
MAX_ANSWER_BYTES = 100_000


@dataclass(frozen=True)
class PaidBack:
    """A refund that the provider made: its reference, the amount in euro and the payment it came from."""

    reference: str
    payment: str
    amount: Decimal


@dataclass(frozen=True)
class PaidOut:
    """A payment that the provider made: its reference, the account it went to and the amount in euro."""

    reference: str
    account: str
    amount: Decimal


class PaymentProvider:
    """A client for the provider at `url`, such as `http://127.0.0.1:9100`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"The payment provider's address is not usable: {url!r}.")
        self.host, self.port = parts.hostname, parts.port or 80

    def pay_back(self, *, key: str, payment: str, amount: Decimal) -> PaidBack:
        """Make the refund, or hear of the one already made with this key.

        Raises ProviderRefused when there is none and will be none, ProviderBusy when nothing was done, and
        OutcomeUnknown when the answer was lost. The last two are worth asking again with the same key.
        """
        body = {"payment": payment, "amount": f"{amount:.2f}", "currency": "EUR"}
        status, answer = self._ask("POST", "/refunds", {"Idempotency-Key": key}, body)
        if status == 201:
            return _read(answer)
        if status in (400, 409, 422):
            raise ProviderRefused(f"The payment provider refused the refund: {_message(answer)}")
        if status == 503:
            raise ProviderBusy("The payment provider has no time now (503).")
        raise OutcomeUnknown(f"The payment provider answered {status}.")

    def find(self, *, key: str) -> PaidBack | None:
        """The refund made with this key, or None. Raises ProviderBusy or OutcomeUnknown when it cannot say."""
        status, answer = self._ask("GET", f"/refunds/{quote(key, safe='')}", {}, None)
        if status == 200:
            return _read(answer)
        if status == 404:
            return None
        raise OutcomeUnknown(f"The payment provider answered {status}.")

    def pay_out(self, *, key: str, account: str, amount: Decimal, reference: str) -> PaidOut:
        """Pay to an account, or hear of the payment already made with this key. Raises as `pay_back` does."""
        sent = {"account": account, "reference": reference}
        body = {**sent, "amount": f"{amount:.2f}", "currency": "EUR"}
        status, answer = self._ask("POST", "/payouts", {"Idempotency-Key": key}, body)
        if status == 201:
            return _read_payout(answer)
        if status in (400, 409, 422):
            raise ProviderRefused(f"The payment provider refused the payment: {_message(answer)}")
        if status == 503:
            raise ProviderBusy("The payment provider has no time now (503).")
        raise OutcomeUnknown(f"The payment provider answered {status}.")

    def find_payout(self, *, key: str) -> PaidOut | None:
        """The payment made with this key, or None. Raises as `find` does."""
        status, answer = self._ask("GET", f"/payouts/{quote(key, safe='')}", {}, None)
        if status == 200:
            return _read_payout(answer)
        if status == 404:
            return None
        raise OutcomeUnknown(f"The payment provider answered {status}.")

    def hand_over_mail(self, *, key: str, recipient: str, callback: str) -> str:
        """Have a mail carried; returns the provider's reference, by which `callback` hears of it.

        Safe to repeat. Raises ProviderRefused, ProviderBusy or OutcomeUnknown.
        """
        body = {"recipient": recipient, "callback": callback}
        status, answer = self._ask("POST", "/mails", {"Idempotency-Key": key}, body)
        if status == 202 and isinstance(answer, dict) and answer.get("reference"):
            return str(answer["reference"])
        if status == 503:
            raise ProviderBusy("The provider carries no mail now (503).")
        if status == 422:
            raise ProviderRefused(f"The provider refused the mail: {_message(answer)}")
        raise OutcomeUnknown(f"The provider answered {status}.")

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, str] | None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as problem:
            raise ProviderBusy("The payment provider cannot be reached.") from problem
        try:
            connection.sock.settimeout(ANSWER_SECONDS)
            content = json.dumps(body).encode() if body is not None else None
            connection.request(
                method, path, content, {"Content-Type": "application/json", **headers}
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read(MAX_ANSWER_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise OutcomeUnknown(
                f"The payment provider's answer was lost: {type(problem).__name__}."
            ) from problem
        finally:
            connection.close()


def _read(answer: Any) -> PaidBack:
    try:
        return PaidBack(str(answer["id"]), str(answer["payment"]), Decimal(answer["amount"]))
    except (KeyError, TypeError, ArithmeticError) as problem:
        raise OutcomeUnknown("The payment provider's answer cannot be read.") from problem


def _read_payout(answer: Any) -> PaidOut:
    try:
        return PaidOut(str(answer["id"]), str(answer["account"]), Decimal(answer["amount"]))
    except (KeyError, TypeError, ArithmeticError) as problem:
        raise OutcomeUnknown("The payment provider's answer cannot be read.") from problem


def _message(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else "no reason given."
