"""The demo's payment provider: a small HTTP server in a process of its own, outside of Django.

`python -m demo.provider --port 9100 --data DIRECTORY`

- `POST /refunds` with `Idempotency-Key` and `{"payment", "amount", "currency"}` pays back. The same key with
  the same body is answered again without a second refund; with another body it is refused (409).
- `GET /refunds/{key}` says whether a refund with that key exists.
- `POST /payouts` with `Idempotency-Key` and `{"account", "reference", "amount", "currency"}` pays to an account,
  and `GET /payouts/{key}` says whether a payment with that key exists; both as for refunds.
- `POST /mails` with `Idempotency-Key` and `{"recipient", "callback"}` accepts a mail; a moment later a signed callback
  says that it was delivered, or that it bounced.
- `GET /calls` lists every call that asked for money, in the order in which they came in.
- `POST /knobs` makes the next calls go wrong, for tests; `GET /health` answers when it is up.
"""
