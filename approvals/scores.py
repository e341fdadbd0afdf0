"""Which score of a call decides, and which are gathered beside it: a part of the policy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, get_args

from django.utils.translation import gettext
from pydantic import BeforeValidator, Field, field_validator, model_validator

from approvals.schemas import Shape
from audit.wordings import Words

Source = Literal["self_reported", "log_probability", "verifier", "agreement"]
SOURCES: tuple[Source, ...] = get_args(Source)
EXTRA_CALLS: frozenset[Source] = frozenset({"verifier", "agreement"})
"""Sources that take further calls of a model."""

FEWEST_SAMPLES, MOST_SAMPLES, USUAL_SAMPLES = 2, 9, 3


def _source(value: Any) -> Any:
    if value not in SOURCES:
        raise ValueError(gettext("name one of {sources}").format(sources=", ".join(SOURCES)))
    return value


def _samples(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and FEWEST_SAMPLES <= value <= MOST_SAMPLES):
        raise ValueError(
            gettext(
                "agreement takes {fewest_samples} to {most_samples} samples, the first reply counted"
            ).format(fewest_samples=FEWEST_SAMPLES, most_samples=MOST_SAMPLES)
        )
    return value


NamedSource = Annotated[Source, BeforeValidator(_source)]


class ScoreChoice(Shape):
    """`source` decides; what `also` names is gathered and recorded, and decides nothing.

    `samples` belongs to agreement: how many replies are compared, the first one counted.
    """

    source: NamedSource = "self_reported"
    samples: Annotated[int | None, BeforeValidator(_samples)] = None
    also: tuple[NamedSource, ...] = ()

    @field_validator("also")
    @classmethod
    def _once(cls, also: tuple[Source, ...]) -> tuple[Source, ...]:
        if len(set(also)) < len(also):
            raise ValueError(gettext("a source stands twice; name it once"))
        return also

    @model_validator(mode="after")
    def _fits(self) -> ScoreChoice:
        if self.source in self.also:
            raise ValueError(
                gettext("{source} decides already; take it out of also").format(source=self.source)
            )
        if self.samples is not None and not self.wants("agreement"):
            raise ValueError(gettext("only agreement takes samples; take them out"))
        return self

    def wants(self, source: Source) -> bool:
        """Whether this score is to be there before the gate is asked."""
        return source == self.source or source in self.also

    @property
    def takes_calls(self) -> bool:
        """Whether any of it takes further calls of a model."""
        return self.source in EXTRA_CALLS or not EXTRA_CALLS.isdisjoint(self.also)

    @property
    def replies(self) -> int:
        """How many replies are compared for agreement, the first one counted."""
        return self.samples or USUAL_SAMPLES


class Scores(Shape):
    """Which score decides; the most specific line counts, and counts whole."""

    default: ScoreChoice = ScoreChoice()
    agents: dict[str, ScoreChoice] = Field(default_factory=dict)
    tools: dict[str, ScoreChoice] = Field(default_factory=dict)
    agent_tools: dict[str, dict[str, ScoreChoice]] = Field(default_factory=dict)

    def resolve(self, *, agent: str, tool: str) -> ScoreChoice:
        """agent × tool, then tool, agent, default."""
        pair = self.agent_tools.get(agent, {}).get(tool)
        if pair is not None:
            return pair
        if tool in self.tools:
            return self.tools[tool]
        return self.agents.get(agent, self.default)

    def with_line(self, names: Mapping[str, str], choice: dict[str, Any] | None) -> dict[str, Any]:
        """The table as JSON with one line set, or taken out where `choice` is None.

        `names` holds an agent, a tool, both, or neither for everything else, which cannot be taken out.
        """
        table = self.model_dump(mode="json")
        match names:
            case {"agent": agent, "tool": tool}:
                where, key = table["agent_tools"].setdefault(agent, {}), tool
            case {"tool": tool}:
                where, key = table["tools"], tool
            case {"agent": agent}:
                where, key = table["agents"], agent
            case _:
                where, key = table, "default"
        if choice is not None:
            where[key] = choice
        elif key != "default":
            where.pop(key, None)
        table["agent_tools"] = {agent: each for agent, each in table["agent_tools"].items() if each}
        return table

    def lines(self) -> Iterator[tuple[dict[str, str], ScoreChoice]]:
        """Every line with the names that it counts for, the most specific first."""
        for agent, tools in sorted(self.agent_tools.items()):
            for tool, choice in sorted(tools.items()):
                yield {"agent": agent, "tool": tool}, choice
        for tool, choice in sorted(self.tools.items()):
            yield {"tool": tool}, choice
        for agent, choice in sorted(self.agents.items()):
            yield {"agent": agent}, choice
        yield {}, self.default


WORDS: Final = Words(
    {
        "self_reported": "the model's own word",
        "log_probability": "the log-probabilities of its tokens",
        "verifier": "the verifier",
        "agreement": "agreement",
    }
)


def score_sentence(choice: ScoreChoice) -> str:
    """Which score decides, in words: `agreement over 3 replies decides; the verifier is recorded too`."""
    said = f"{_named(choice.source, choice)} {'decide' if choice.source == 'log_probability' else 'decides'}"
    if not choice.also:
        return said
    also = " and ".join(_named(source, choice) for source in choice.also)
    plural = len(choice.also) > 1 or choice.also == ("log_probability",)
    return gettext("{said}; {also} {plural} recorded too").format(
        said=said, also=also, plural="are" if plural else "is"
    )


def _named(source: Source, choice: ScoreChoice) -> str:
    words = WORDS[source]
    return (
        gettext("{words} over {replies} replies").format(words=words, replies=choice.replies)
        if source == "agreement"
        else words
    )
