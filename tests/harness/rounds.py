"""How often a race is run: some rounds in every suite, many times that with `make races`."""

import os

FACTOR = int(os.environ.get("RACE_ROUNDS", "1"))


def rounds(usual: int) -> int:
    """So many rounds, times what `make races` asks for."""
    return usual * FACTOR


class Edge:
    """Where one of two racers begins to overtake the other: `lead` is how many seconds one is given.

    It is moved far until it was met, and then less and less, so that few rounds are enough on a fast machine and on
    a slow one.
    """

    def __init__(self, lead: float, *, finest: float) -> None:
        self.lead = lead
        self._step, self._finest = 16 * finest, finest
        self._last: bool | None = None

    def after(self, overtaken: bool) -> None:
        """Give less lead after a round in which it was long enough, more after the others."""
        if self._last is not None and overtaken != self._last:
            self._step = max(self._finest, self._step / 2)
        self._last = overtaken
        self.lead += -self._step if overtaken else self._step
