"""Over how long the pages that hear of something are to look at it, so that they do not all ask at once. Pure.

A hint reaches everybody at once; what follows it is one request of each page, and a web process answers so many a
second and no more. Without a spread, five hundred of them would stand in front of whoever decides meanwhile.
"""

from __future__ import annotations

from typing import Final

#: So many look at once: a house of that size sees a row as soon as it is there.
AT_ONCE: Final = 50
#: What a web process may spend of each second on looks: more than an answer takes, so that decisions come through.
LOOK_MS: Final = 3
#: The same for a page that asks for all that it shows.
WHOLE_MS: Final = 15


def within(listeners: int, each_ms: int = LOOK_MS) -> int:
    """Milliseconds over which so many pages spread their looks; 0 where they are few enough to look at once."""
    return 0 if listeners <= AT_ONCE else listeners * each_ms
