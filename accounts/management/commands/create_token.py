"""Print a bearer token for a person, once."""

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import UnknownPerson
from accounts.models import User
from accounts.services.create_token import create_token
from accounts.vocabulary import SCOPES
from audit.actors import Actor
from audit.errors import Refusal

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = (
        "Make a bearer token for a person and print it, once, on standard output. "
        "Send it as “Authorization: Bearer …”."
    )

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="what the token is for")
        parser.add_argument(
            "--scope",
            action="append",
            help=f"comma-separated or several times, from {','.join(SCOPES)}; left out: all the account may do",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        given: list[str] | None = options["scope"]
        words = None if given is None else [word.strip() for word in ",".join(given).split(",")]
        try:
            person = User.objects.filter(username__iexact=options["username"]).first()
            if person is None:
                raise UnknownPerson(options["username"])
            made = create_token(
                person=person,
                name=options["name"],
                scopes=None if words is None else [word for word in words if word],
                caller=Actor.system("create_token"),
            )
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(str(made.bearer))
        self.stderr.write(
            f"Token “{made.token.name}” of {person.username} with the scopes "
            f"{', '.join(made.token.scopes)}. It is not shown again."
        )
