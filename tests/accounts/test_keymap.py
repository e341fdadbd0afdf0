"""Keys of one's own: off, others, none; and what may be a key."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.callers import Caller
from accounts.errors import BadKeys, SessionRequired
from accounts.keymap import ACTIONS, DEFAULTS, KeyMap, complaints, written
from accounts.models import User
from accounts.services.set_keys import reset_keys, set_keys
from accounts.services.use_token import use_token
from tests.accounts.conftest import Bodies, MakeToken


def keys_on(page: str) -> dict[str, str]:
    """The keys that the page's script is given."""
    found = re.search(r'data-keys="([^"]*)"', page)
    assert found
    read: dict[str, str] = json.loads(found[1].replace("&quot;", '"'))
    return read


def by(user: User) -> Caller:
    return Caller.of_session(User.objects.get(pk=user.pk))


def test_the_keys_by_default_go_together() -> None:
    assert complaints(DEFAULTS) == {}
    assert {written(key) for key in DEFAULTS.values()} == set(DEFAULTS.values())


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("Y", "y"), (" ; ", ";"), ("esc", "Escape"), ("DEL", "Delete"), ("f8", "F8"), ("Ж", "ж")],
)
def test_a_key_is_kept_as_the_browser_names_it(typed: str, kept: str) -> None:
    assert written(typed) == kept
    assert complaints({"approve": kept}) == {}


@pytest.mark.parametrize(
    "key", ["7", "Tab", "Enter", "ArrowUp", "F5", "ab", "\u200b", "\x07", "\u0301", "Ctrl+S", "😀x"]
)
def test_what_moves_types_or_belongs_to_the_browser_is_no_key(key: str) -> None:
    wrong = complaints({"approve": key})
    assert set(wrong) == {"approve"}
    assert ("Digits pick reasons" in wrong["approve"]) == key.isdigit()


def test_each_key_does_one_thing_and_those_after_go_are_apart() -> None:
    wrong = complaints({**DEFAULTS, "reject": "a"})
    assert set(wrong) == {"approve", "reject"}
    assert "Approve" in wrong["reject"]
    assert set(complaints({**DEFAULTS, "go_runs": "i"})) == {"go_runs", "go_inbox"}
    assert complaints({**DEFAULTS, "go_runs": "j"}) == {}
    assert complaints({**DEFAULTS, "approve": "", "reject": ""}) == {}


@given(st.dictionaries(st.sampled_from(sorted(ACTIONS)), st.text(max_size=8)), st.booleans())
def test_what_is_stored_is_what_was_chosen(chosen: dict[str, str], off: bool) -> None:
    keymap = KeyMap(off, {**DEFAULTS, **chosen})
    assert KeyMap.read(json.loads(json.dumps(keymap.chosen))) == keymap
    assert (keymap.in_force == {}) or not off


def test_what_an_older_version_stored_is_no_key_any_more() -> None:
    assert KeyMap.read({"keys": {"gone": "y"}}) == KeyMap.read({})


def test_chosen_keys_are_kept_and_the_log_says_which_changed(
    reviewer: User, bodies: Bodies
) -> None:
    set_keys(off=False, keys={"approve": "Y", "claim": ""}, caller=by(reviewer))
    set_keys(off=False, keys={"approve": "y", "claim": ""}, caller=by(reviewer))
    reviewer.refresh_from_db()
    assert reviewer.keymap == {"keys": {"approve": "y", "claim": ""}}
    reset_keys(caller=by(reviewer))
    reviewer.refresh_from_db()
    assert reviewer.keymap == {}
    facts = [body["facts"] for body in bodies("keys.set")]
    assert facts == [{"changed": ["approve", "claim"], "off": False}] * 2


def test_a_refused_choice_changes_nothing(reviewer: User, bodies: Bodies) -> None:
    with pytest.raises(BadKeys) as refused:
        set_keys(off=True, keys={"approve": "Enter"}, caller=by(reviewer))
    assert set(refused.value.errors) == {"approve"}
    with pytest.raises(BadKeys):
        set_keys(off=True, keys={"launch": "l"}, caller=by(reviewer))
    reviewer.refresh_from_db()
    assert (reviewer.keymap, bodies("keys.set")) == ({}, [])


def test_a_token_changes_no_keys(reviewer: User, make_token: MakeToken) -> None:
    caller = use_token(presented=make_token(reviewer))
    with pytest.raises(SessionRequired):
        set_keys(off=True, keys={}, caller=caller)


def test_the_page_of_keys_keeps_them_and_every_page_has_them(
    client: Client, reviewer: User
) -> None:
    client.force_login(reviewer)
    page = client.get("/settings/keys/").content.decode()
    assert keys_on(page) == DEFAULTS
    given_keys: dict[str, Any] = {**DEFAULTS, "working": "on", "approve": '"', "help": "Del"}
    assert client.post("/settings/keys/", given_keys).status_code == 302
    page = client.get("/runs/").content.decode()
    assert keys_on(page) == {**DEFAULTS, "approve": '"', "help": "Delete"}
    assert "<kbd>Del</kbd>" in page
    assert client.post("/settings/keys/", {"reset": "1"}).status_code == 302
    assert keys_on(client.get("/runs/").content.decode()) == DEFAULTS


def test_keys_that_are_off_are_on_no_page_and_kept_for_later(
    client: Client, reviewer: User
) -> None:
    client.force_login(reviewer)
    client.post("/settings/keys/", {**DEFAULTS, "approve": "y"})
    page = client.get("/inbox/").content.decode()
    assert keys_on(page) == {}
    assert "Your keys are off" in page
    assert "keys-hint" not in page
    assert "Single keys are off" in client.get("/settings/").content.decode()
    assert 'name="approve" value="y"' in client.get("/settings/keys/").content.decode()


def test_a_wrong_key_is_said_at_its_field(client: Client, reviewer: User) -> None:
    client.force_login(reviewer)
    answer = client.post("/settings/keys/", {**DEFAULTS, "working": "on", "approve": "r"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert page.count("Each key does one thing.") == 2
    assert re.search(r'name="approve" value="r"[^>]*aria-invalid="true"', page)
    reviewer.refresh_from_db()
    assert reviewer.keymap == {}
