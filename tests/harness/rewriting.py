"""What pytest makes of the asserts of a test module, made once for all processes of a run.

In a fresh checkout each process would make all of it: half of what it then takes to collect the tests.
"""

from __future__ import annotations

import sys

import pytest
from _pytest.assertion import AssertionState
from _pytest.assertion.rewrite import (
    PYC_TAIL,
    _read_pyc,
    _rewrite_test,
    _write_pyc,
    assertstate_key,
    get_cache_dir,
)


def rewrite_share(config: pytest.Config) -> None:
    """Leave this worker's share where every process looks for it, in the order in which modules are collected.

    Nobody waits for a share: who comes to a module that is not made yet makes it.
    """
    worker = getattr(config, "workerinput", None)
    state: AssertionState | None = config.stash.get(assertstate_key, None)
    if worker is None or state is None or state.mode != "rewrite" or sys.dont_write_bytecode:
        return
    number, workers = int(worker["workerid"].removeprefix("gw")), int(worker["workercount"])
    modules = sorted((config.rootpath / "tests").rglob("test_*.py"))
    for module in modules[number::workers]:
        made = get_cache_dir(module) / f"{module.stem}{PYC_TAIL}"
        if _read_pyc(module, made) is None:
            made.parent.mkdir(exist_ok=True)
            stat, code = _rewrite_test(module, config)
            _write_pyc(state, code, stat, made)
