"""Points of failure: nothing at all unless a test arms them, and then once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from audit import fault_points
from audit.fault_points import reached


@pytest.fixture
def struck(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals that this process sent to itself."""
    sent: list[int] = []
    monkeypatch.setattr(fault_points.signal, "raise_signal", sent.append)
    return sent


def test_an_armed_point_strikes_one_process_once(
    tmp_path: Path, struck: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fault_points, "FOLDER", tmp_path)
    (tmp_path / "here").write_text("kill")
    (tmp_path / "there.one").write_text("stop")
    reached("elsewhere")
    reached("there", "two")
    assert struck == []
    reached("here")
    reached("here")
    reached("there", "one")
    assert struck == [signal.SIGKILL, signal.SIGSTOP]
    assert (tmp_path / f"here.used.{os.getpid()}").exists()


def test_without_the_setting_no_file_is_looked_at(
    tmp_path: Path, struck: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fault_points.FOLDER is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("kill")
    reached("here")
    assert struck == []
