"""A text in the forms in which it may leave the product without being seen for what it is."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus


def forms_of(secret: str) -> dict[str, str]:
    """What to look for, by a name of the form."""
    raw = secret.encode()
    forms = {
        "plain": secret,
        "json": json.dumps(secret)[1:-1],
        "json of all characters": json.dumps(secret, ensure_ascii=False)[1:-1],
        "json within json": json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "repr": repr(secret)[1:-1],
        "html": html.escape(secret),
        "url": quote(secret, safe=""),
        "url path": quote(secret),
        "form": quote_plus(secret),
        "url within url": quote(quote(secret, safe=""), safe=""),
        "each byte in the url": "".join(f"%{byte:02x}" for byte in raw),
        "hexadecimal": raw.hex(),
        "HEXADECIMAL": raw.hex().upper(),
    }
    for before in range(3):
        for name, encode in (
            ("base64", base64.b64encode),
            ("url-safe", base64.urlsafe_b64encode),
        ):
            encoded = encode(b"\0" * before + raw).decode()
            # What neither side of it has a part in.
            inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
            forms[f"{name}, {before} before"] = inner
    return forms


def all_forms(secret: str) -> list[str]:
    """The secret in each form, as somebody would write it down who has it between other things."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"a" * before + raw + b"zz").decode() for before in range(3)]
    safe = [base64.urlsafe_b64encode(b"?" * before + raw + b"~~").decode() for before in range(3)]
    lines = base64.encodebytes(b"-" * 50 + raw).decode()
    nested = json.dumps({"inner": json.dumps({"secret": secret})})
    return [*forms_of(secret).values(), *shifted, *safe, lines, nested, raw.hex(" ")]
