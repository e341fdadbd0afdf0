"""Make the demo's review groups and accounts, with one password for all of them."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accounts.models import ReviewGroup, User
from accounts.services.create_group import create_group
from accounts.services.create_person import create_person
from audit.actors import Actor

GROUPS: Final = {"finance": "Finance", "support": "Support"}


@dataclass(frozen=True)
class Account:
    """An account of the demo."""

    username: str
    display_name: str
    roles: tuple[str, ...]
    groups: tuple[str, ...] = ()


# An erasure takes two records keepers, so that there are two of them.
ACCOUNTS: Final = (
    Account("admin", "Admin", ("admin", "records-keeper")),
    Account("reviewer", "Reviewer", ("reviewer",), ("finance", "support")),
    Account("second-reviewer", "Second reviewer", ("reviewer",), ("finance", "support")),
    Account("operator", "Operator", ("operator",)),
    Account("auditor", "Auditor", ("auditor", "records-keeper")),
)


def open_accounts(*, password: str, renew: bool, actor: Actor) -> list[str]:
    """Make what is missing; returns the user names that were made.

    With `renew`, accounts that are there already get the password too; otherwise they keep theirs.
    """
    present = set(ReviewGroup.objects.filter(slug__in=GROUPS).values_list("slug", flat=True))
    for slug, title in GROUPS.items():
        if slug not in present:
            create_group(slug=slug, title=title, email=f"{slug}@shop.example", caller=actor)
    made = []
    for account in ACCOUNTS:
        person = User.objects.filter(username=account.username).first()
        if person is None:
            create_person(
                username=account.username,
                display_name=account.display_name,
                email=f"{account.username}@shop.example",
                roles=account.roles,
                groups=account.groups,
                password=password,
                caller=actor,
            )
            made.append(account.username)
        elif renew and not person.check_password(password):
            person.set_password(password)
            person.save(update_fields=["password"])
    return made


def keep_password(directory: Path) -> str:
    """The random password in the directory's `demo-password` file, made and written once, readable by its owner."""
    path = directory / "demo-password"
    if not path.exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = directory / f".demo-password.{os.getpid()}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(12) + "\n")
        # A link fails where another process was first; its password is everybody's then.
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
