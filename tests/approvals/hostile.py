"""Texts that somebody might write to deceive, to break out or to break something: one table for every door."""

from __future__ import annotations

from typing import Final

#: What is set where a script of such a text ran.
MARKER: Final = "hostileRan"

HOSTILE: Final[dict[str, str]] = {
    "bidi": "pay \u202eEMCA\u202c and \u2066not\u2069 Bob",
    "zero_width": "ac\u200bme\u200d\u2060\ufeff",
    "tags": "free" + "".join(chr(0xE0000 + ord(letter)) for letter in "pay Mallory"),
    "pile": "Z" + "\u0301\u0316\u0336" * 12 + "algo",
    "groundless_mark": "\u0332\u0338under",
    "blanks": "a\u00a0b\u2003c\u3164d\u2800e",
    "mixed_host": "https://p\u0430ypal.com/login",
    "wide_host": "a\uff20\uff45\uff56\uff49\uff4c\uff0e\uff43\uff4f\uff4d",
    "punycode": "mail to bob@xn--pypal-4ve.com",
    "terminal": "\x1b]0;owned\x07\x1b[2J\x9b31mred\x1b[0m\x08\x7f",
    "lines": "first\r\nBcc: all@evil.example\rsecond\n\u2028third\u2029\x0b\x0cfourth",
    "script": f"</script><script>window.{MARKER}=1</script>",
    "image": f'"><img src=x onerror="window.{MARKER}=1">',
    "svg": f"<svg/onload=window.{MARKER}=1><a xlink:href='javascript:window.{MARKER}=1'>x</a></svg>",
    "link": f"[open](javascript:window.{MARKER}=1) javascript:window.{MARKER}=1",
    "attribute": f"' autofocus onfocus='window.{MARKER}=1",
    "textarea": f"</textarea><script>window.{MARKER}=1</script>",
    "comment": f"--><style>*{{display:none}}</style><script>window.{MARKER}=1</script><!--",
    "template": "{{ 7|add:7 }} {% debug %} ${7*7} #{7*7} <%= 7 %> {0.__class__} %s %(x)s",
    "formula": '=HYPERLINK("http://evil.example","x") @SUM(1) +1 -1',
    "long_word": "W" * 3_000,
    "noncharacter": "a\ufffe\uffff\ue000b",
}
"""All can be stored; what each hides is invisible in a browser unless it is marked."""

REFUSED: Final[dict[str, str]] = {
    "nul": '"a\\u0000b"',
    "lone_surrogate": '"\\ud800"',
    "nan": "NaN",
    "infinity": "-Infinity",
    "huge_integer": "123456789012345678901234567890",
    "endless_integer": "9" * 5_000,
    "overflow": "1e999",
    "deep": "[" * 40 + "]" * 40,
    "bottomless": "[" * 3_000 + "]" * 3_000,
    "twice": '{"a": 1, "a": 2}',
    "no_json": "{'a': 1}",
}
"""JSON values, as text, that two readers could understand differently or that nothing can keep."""

UNSEEN: Final = (
    "\u202e\u202c\u2066\u2069\u200b\u200d\u2060\ufeff\u00a0\u2003\u3164\u2800\x1b\x07\x08\x7f\x9b"
)
"""Characters that may never reach a reader as they are."""
