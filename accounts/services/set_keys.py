"""A person chooses the keys of their pages, or that none works."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext

from accounts.errors import BadKeys, SessionRequired
from accounts.keymap import ACTIONS, DEFAULTS, KeyMap, complaints, written
from accounts.models import User
from audit.recorder import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.callers import Caller


def set_keys(*, off: bool, keys: "Mapping[str, str]", caller: "Caller") -> KeyMap:
    """The caller's keys from now on: `keys` by action, empty for none; those that are not given are as by default.

    Raises SessionRequired for a token caller, and BadKeys with a sentence by action: a key is one sign that
    can be typed, or one of a few named ones, and does one thing.
    """
    if caller.is_token:
        raise SessionRequired
    if unknown := sorted(set(keys) - set(ACTIONS)):
        raise BadKeys(dict.fromkeys(unknown, gettext("There is no such action.")))
    chosen = {**DEFAULTS, **{name: written(key) for name, key in keys.items()}}
    if wrong := complaints(chosen):
        raise BadKeys(wrong)
    keymap = KeyMap(off, chosen)
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=caller.user.pk)
        before = KeyMap.read(person.keymap)
        if before != keymap:
            User.objects.filter(pk=person.pk).update(keymap=keymap.chosen)
            record(
                type="keys.set",
                actor=caller.actor,
                stream=f"person:{person.pk}",
                facts={
                    "off": off,
                    "changed": [name for name in ACTIONS if before.keys[name] != chosen[name]],
                },
            )
    return keymap


def reset_keys(*, caller: "Caller") -> KeyMap:
    """The keys are those by default again, and work."""
    return set_keys(off=False, keys={}, caller=caller)
