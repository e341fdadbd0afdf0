"""How often a race is run: some rounds in every suite, many times that with `make races`."""

import os

FACTOR = int(os.environ.get("COUNTERSIGN_TEST_ROUNDS", "1"))


def rounds(usual: int) -> int:
    """So many rounds, times what `make races` asks for."""
    return usual * FACTOR
