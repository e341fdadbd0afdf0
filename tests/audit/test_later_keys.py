"""An auditor who checks again after the log's keys changed hands, or another log took over."""

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import orjson
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from accounts.callers import Caller
from accounts.models import User
from audit import export_file
from audit.bundle import write as bundle
from audit.filters import EventFilter
from audit.models import Export, Log
from audit.services.ask_export import ask_export
from audit.services.begin_log import begin_log
from audit.services.seal import seal
from audit.services.write_export import write_export
from audit.signing import new_key
from audit.verifier import verify
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record, make_key
from tests.audit.test_sealing import cut

pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)

Checks = Callable[..., tuple[int, str]]
LAST = "Nothing that the log held when you checked last"
NOT_TRUSTED = "is not signed by a key that you trust"


def said(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out, stderr=StringIO())
    return out.getvalue()


def exported(auditor: User) -> Export:
    asked = ask_export(
        chosen=EventFilter(), file_format="bundle", caller=Caller.of_session(auditor)
    )
    write_export(asked.id)
    asked.refresh_from_db()
    return asked


@pytest.fixture
def checks(
    recorded: Record,
    machine: Path,
    auditor: User,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Checks]:
    """`checks(*options)`: export what is sealed, check it with the auditor's state file; code and words.

    One check was made already, of three events.
    """
    state = str(tmp_path / "state.json")

    def check(*options: str) -> tuple[int, str]:
        export = exported(auditor)
        assert export.state == "finished", export.problem
        capsys.readouterr()
        code = verify.main([str(export_file.path_of(export)), "--state", state, *options])
        return code, capsys.readouterr().out

    config = settings.COUNTERSIGN.model_copy(update={"export_seal_wait_seconds": 0})
    with override_settings(COUNTERSIGN=config):
        recorded(stream="policy")
        seal()
        assert check()[0] == 0
        yield check


def keys_of(log: Log) -> list[str]:
    return [row.verifier for row in log.keys.order_by("added_at")]


def test_a_rotation_is_followed_by_whoever_checks_while_both_keys_sign(
    checks: Checks, recorded: Record
) -> None:
    old = keys_of(Log.objects.get())[0]
    said("audit_keys", "rotate")
    seal()
    code, words = checks()
    assert (code, LAST in words) == (0, True)
    said("audit_keys", "retire", verify.key_of(old).id.hex())
    recorded(stream="policy")
    seal()
    code, words = checks()
    assert (code, LAST in words) == (0, True)


def test_whoever_missed_the_overlap_needs_the_new_key_from_elsewhere(
    checks: Checks, recorded: Record
) -> None:
    old = keys_of(Log.objects.get())[0]
    new = said("audit_keys", "rotate").strip()
    said("audit_keys", "retire", verify.key_of(old).id.hex())
    recorded(stream="policy")
    seal()
    code, words = checks()
    assert (code, NOT_TRUSTED in words, "--key" in words) == (1, True, True)
    code, words = checks("--key", new)
    assert (code, LAST in words) == (0, True)


def test_a_successor_is_held_to_what_the_log_before_it_held(
    checks: Checks, recorded: Record, machine: Path, tmp_path: Path
) -> None:
    (machine / "signing_key.pem").unlink()
    make_key(machine)
    recorded(stream="policy")
    said("audit_log", "succeed")
    first, second = Log.objects.order_by("id")
    (old,), (new,) = keys_of(first), keys_of(second)
    for options in ((), ("--key", old)):
        code, words = checks(*options)
        assert code == 1
        assert f"This is an export of the log {second.origin}" in words
        assert f"your state file is about {first.origin}" in words
    code, words = checks("--key", new)
    assert (code, LAST in words) == (0, True)
    assert f"This log took over from {first.origin}, which you checked last" in words
    kept = orjson.loads((tmp_path / "state.json").read_bytes())
    assert (kept["origin"], kept["keys"]) == (second.origin, [new])
    recorded(stream="policy")
    seal()
    code, words = checks()
    assert (code, "took over" in words) == (0, False)


def test_a_successor_of_a_log_that_was_set_back_does_not_hold_what_was_lost(
    checks: Checks, recorded: Record, attacker: Attacker
) -> None:
    recorded(stream="policy")
    recorded(stream="policy")
    seal()
    assert checks()[0] == 0
    cut(attacker, 3)
    attacker.does("DELETE FROM audit_event WHERE id NOT IN (SELECT event FROM audit_leaf)")
    attacker.does("DELETE FROM audit_pending")
    attacker.does(
        "UPDATE audit_stream SET (seq, head) = (SELECT seq, leaf_hash FROM audit_event WHERE stream = name "
        "ORDER BY seq DESC LIMIT 1)"
    )
    recorded(stream="policy")
    seal()
    said("audit_log", "succeed")
    recorded(stream="person:7")
    recorded(stream="person:7")
    seal()
    second = Log.objects.latest("id")
    code, words = checks("--key", keys_of(second)[0])
    assert code == 1
    assert "was changed, taken away or put in, and the log was signed anew" in words


def test_an_export_is_not_signed_under_another_name_than_its_checkpoints(
    checks: Checks, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_seal = bundle.wait_for_seal

    def overtaken(export: Export, beat: bundle.Beat) -> object:
        found = wait_for_seal(export, beat)
        begin_log(size=3, key=new_key(), former=found[0].note)
        return found

    monkeypatch.setattr(bundle, "wait_for_seal", overtaken)
    failed = exported(auditor)
    assert failed.state == "failed"
    assert "was followed by another one while this export was written" in failed.problem
