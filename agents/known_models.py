"""What is known of a model that has answered: what it costs, and as whom it answered this agent before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from audit.statements import rows

_KNOWN = """
SELECT price.input_micros, price.cached_micros, price.output_micros,
       ARRAY(SELECT reported FROM agents_reportedmodel WHERE agent_id = %(agent)s AND asked = %(model)s)
  FROM (VALUES (1)) AS always
  LEFT JOIN LATERAL (
       SELECT * FROM agents_modelprice WHERE model = %(model)s AND holds_from <= %(at)s
        ORDER BY holds_from DESC, id DESC LIMIT 1) AS price ON true
"""


class Tariff(NamedTuple):
    """What a million tokens cost, in millionths of the currency unit."""

    input_micros: int
    cached_micros: int
    output_micros: int


@dataclass(frozen=True)
class Known:
    """`price` is None where nobody said one; `names` are those that its server gave, the first one among
    them."""

    price: Tariff | None
    names: tuple[str, ...]


def known_of(agent_id: int, model: str, at: datetime) -> Known:
    """What is known of the model, as the agent names it, at that moment. One statement."""
    [(*micros, names)] = rows(_KNOWN, {"agent": agent_id, "model": model, "at": at})
    return Known(None if micros[0] is None else Tariff(*micros), tuple(names))
