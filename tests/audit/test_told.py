"""What is told after a commit goes over one client for each process."""

import os

import pytest

from audit import told


def test_a_process_keeps_one_client_and_a_forked_one_makes_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = told._Kept()
    client, queue = kept.client(), kept.queue("runs")
    assert (kept.client(), kept.queue("runs")) == (client, queue)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert kept.client() is not client
    assert kept.queue("runs") is not queue
