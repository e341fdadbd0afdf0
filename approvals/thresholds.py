"""How sure an agent has to be: shares between 0 and 1, by risk, agent and tool. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils.translation import gettext
from pydantic import BeforeValidator, Field, PlainSerializer

from approvals.schemas import Shape
from approvals.vocabulary import Risk


def _share(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        # pydantic turns only a ValueError into a message at the field.
        raise ValueError(gettext("write a number between 0 and 1, such as 0.80"))  # noqa: TRY004
    try:
        share = Decimal(str(value).strip())
    except ArithmeticError as error:
        raise ValueError(gettext("write a number between 0 and 1, such as 0.80")) from error
    if not (share.is_finite() and 0 <= share <= 1):
        raise ValueError(
            gettext("a threshold lies between 0 and 1; 0.80 is four times out of five")
        )
    if share != share.quantize(Decimal("0.0001")):
        raise ValueError(gettext("a threshold has at most four decimal places"))
    return share.quantize(Decimal("0.0001"))


def share_text(share: Decimal) -> str:
    """At least two decimal places, and no more than it takes: 0.80, 0.8125."""
    text = f"{share:.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


Share = Annotated[Decimal, BeforeValidator(_share), PlainSerializer(share_text, return_type=str)]


def basis_points(share: Decimal) -> int:
    """0 to 10,000."""
    return int(share * 10_000)


@dataclass(frozen=True)
class Threshold:
    """A threshold in basis points and which line of the table it came from."""

    value_bp: int
    source: Literal["agent_tool", "tool", "agent", "risk", "default", "rule"]


class Thresholds(Shape):
    """Confidence below the threshold is reviewed; the most specific line counts."""

    default: Share = Decimal("0.80")
    risks: dict[Risk, Share] = Field(default_factory=dict)
    agents: dict[str, Share] = Field(default_factory=dict)
    tools: dict[str, Share] = Field(default_factory=dict)
    agent_tools: dict[str, dict[str, Share]] = Field(default_factory=dict)

    def resolve(self, *, agent: str, tool: str, risk: Risk) -> Threshold:
        """agent × tool, then tool, agent, risk, default."""
        pair = self.agent_tools.get(agent, {}).get(tool)
        if pair is not None:
            return Threshold(basis_points(pair), "agent_tool")
        if tool in self.tools:
            return Threshold(basis_points(self.tools[tool]), "tool")
        if agent in self.agents:
            return Threshold(basis_points(self.agents[agent]), "agent")
        if risk in self.risks:
            return Threshold(basis_points(self.risks[risk]), "risk")
        return Threshold(basis_points(self.default), "default")


def shipped_thresholds(low: Decimal | float = 0.80, high: Decimal | float = 0.90) -> Thresholds:
    """`low` for low and medium risk, `high` above."""
    table = {Risk.LOW: low, Risk.MEDIUM: low, Risk.HIGH: high, Risk.CRITICAL: high}
    return Thresholds.model_validate({"default": low, "risks": table})
