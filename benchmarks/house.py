"""Reviewers of one group, all signed in, and requests that come in for them."""

from dataclasses import dataclass
from time import monotonic_ns
from typing import Any, Self
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group
from django.db import transaction

from accounts.hints import to_person
from accounts.models import Membership, ReviewGroup, SignedIn, User
from accounts.services.create_token import create_token
from accounts.sessions import SessionStore
from approvals.models import ApprovalRequest
from approvals.schemas import Opening, Preview
from approvals.services.open_request import open_request
from approvals.vocabulary import Kind
from audit.actors import Actor

GROUP = "benchmark"


@dataclass
class House:
    """`cookies` of the reviewers' sessions, the `bearer` token of one more, who decides, and what is heard by
    the first reviewer alone (`audience`)."""

    cookies: list[str]
    bearer: str
    audience: str
    opened: int = 0

    @classmethod
    def of(cls, reviewers: int) -> Self:
        """So many reviewers."""
        group, _ = ReviewGroup.objects.get_or_create(slug=GROUP, defaults={"title": "Benchmark"})
        people = [_reviewer(f"reviewer-{number}", group) for number in range(reviewers)]
        decider = _reviewer("decider", group)
        made = create_token(person=decider, name="benchmark", caller=Actor.system("benchmarks"))
        cookies = [session_cookie(person) for person in people]
        return cls(cookies, str(made.bearer), to_person(people[0].pk))

    def open(self) -> tuple[str, int]:
        """A new request: its id, and when it was committed, in nanoseconds of the monotonic clock."""
        self.opened += 1
        stamps: list[int] = []
        opening = Opening(
            kind=Kind.QUESTION,
            agent="marker",
            agent_title="Marker",
            agent_version="sha256:" + "0" * 64,
            owner_group=GROUP,
            preview=Preview(title=f"Question {self.opened}"),
            question={"question": "Well?", "schema": {"type": "string"}},
        )
        with transaction.atomic():
            transaction.on_commit(lambda: stamps.append(monotonic_ns()))
            request = open_request(opening=opening, actor=Actor.agent("marker"))
        return str(request.pk), stamps[0]

    def verdict(self, name: str) -> dict[str, Any]:
        """What decides that request as it stands."""
        request = ApprovalRequest.objects.get(pk=name)
        return {
            "verdict": "answer",
            "answer": "Yes.",
            "revision": request.revision,
            "digest": request.digest,
            "shown_sha256": request.shown_sha256,
            "nonce": uuid4().hex,
        }


def session_cookie(user: User) -> str:
    """A signed-in session of the user, as a cookie header."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    # As signing in notes it.
    SignedIn.objects.create(session_id=str(session.session_key), user=user, device="benchmark")
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _reviewer(name: str, group: ReviewGroup) -> User:
    person: User = User.objects.create_user(name)
    person.groups.set(Group.objects.filter(name="reviewer"))
    Membership.objects.create(user=person, group=group)
    return person
