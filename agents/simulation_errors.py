"""What is refused of simulated runs and of forks, in domain words; and what may never come of one."""

from __future__ import annotations

from django.utils.translation import gettext

from audit.errors import Conflict, Forbidden, Invalid
from audit.wordings import Words


class InEarnest(RuntimeError):
    """A simulated run came to what only a run in earnest may do. Nothing was done; it is a fault of ours."""

    def __init__(self, what: str) -> None:
        super().__init__(f"A simulated run may not {what}.")


class VersionNotThere(Conflict):
    """The installed code cannot follow that version: tools or states of it are gone, or take less now."""

    code = "agent_version_not_there"

    def __init__(self, slug: str, digest: str) -> None:
        super().__init__(
            gettext(
                "The tools or states of this version of {slug} are not installed any more. Choose another "
                "version."
            ).format(slug=slug),
            params={"agent": slug, "version": digest},
        )


class NoForkPoint(Conflict):
    """A run cannot be forked there; `steps` are how many it may keep."""

    code = "no_fork_point"

    def __init__(self, steps: list[int]) -> None:
        detail = gettext("This run cannot be forked.")
        if steps:
            detail = gettext(
                "A fork begins between two turns of a run. It can keep so many steps of this one: {steps}."
            ).format(steps=", ".join(map(str, steps[-50:])))
        super().__init__(detail, params={"steps": steps})


FORK_PROBLEMS = Words(
    {
        "empty": "Write something, or leave it as it is in the run.",
        "long": "This is too long.",
        "unpriced": "This model has no price, so no cap on cost would hold. Set one under Prices, 0 where it is free.",
        "unfit": "It holds a character that cannot be stored, or a tool's secret.",
        "sensitive": "The journal holds sensitive arguments that you may not read, so you may not fork this run.",
        "score": "A score of this run is secret until a person has decided. Fork the run then.",
    }
)


class ForkInvalid(Invalid):
    """`field` is what does not fit: instructions or model."""

    code = "fork_invalid"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(FORK_PROBLEMS[problem], params={"field": field})


class ForkHidden(Forbidden):
    """The journal holds what the caller may not see: `sensitive` arguments, or a `score`."""

    code = "fork_hidden"

    def __init__(self, what: str) -> None:
        super().__init__(FORK_PROBLEMS[what], params={"what": what})


class RunSimulated(Conflict):
    """Nobody says anything to a simulated run: it only tries what a run would do."""

    code = "run_simulated"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This run is simulated, so nothing can be said to it. Fork the run anew instead."
            )
        )
