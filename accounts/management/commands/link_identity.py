"""Say whom the identity provider means."""

from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import UnknownPerson
from accounts.models import User
from accounts.passwords import provider
from accounts.services.link_identity import link_identity, unlink_identity
from audit.actors import Actor
from audit.errors import Refusal

if TYPE_CHECKING:
    from argparse import ArgumentParser

COMMAND: Final = Actor.system("link_identity")


class Command(BaseCommand):
    help = (
        "Link a person to their name (the claim “sub”) at the identity provider of the settings, or take the "
        "link away."
    )

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.add_argument("username")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("subject", nargs="?", help="the provider's name for the person")
        what.add_argument("--remove", action="store_true", help="take the link away")

    def handle(self, *_args: Any, **options: Any) -> None:
        terms = provider()
        if terms is None:
            raise CommandError("No identity provider is set. Set COUNTERSIGN_OIDC_ISSUER.")
        try:
            person = User.objects.filter(username__iexact=options["username"]).first()
            if person is None:
                raise UnknownPerson(options["username"])
            if options["remove"]:
                unlink_identity(person=person, issuer=terms.issuer, caller=COMMAND)
            else:
                link_identity(
                    person=person,
                    issuer=terms.issuer,
                    subject=options["subject"],
                    how="command",
                    caller=COMMAND,
                )
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        done = "no longer signs in" if options["remove"] else "signs in"
        self.stdout.write(f"{person.username} {done} at {terms.issuer}.")
