"""What a program may ask about itself."""

from typing import TYPE_CHECKING

from ninja import Router, Schema
from pydantic import Field

from accounts import absence_api
from accounts.doors import signed_in
from accounts.roles import roles_of
from accounts.vocabulary import PERMISSION_SENTENCES, SCOPES

if TYPE_CHECKING:
    from django.http import HttpRequest

router = Router(tags=["me"])
router.add_router("", absence_api.router)


class GroupOut(Schema):
    """A review group."""

    slug: str
    title: str


class MeOut(Schema):
    """Who is calling, and what this way in may do."""

    id: str
    username: str
    display_name: str = Field(description="What others see.")
    auth: str = Field(description="session, or token: and the token's id.")
    roles: list[str]
    groups: list[GroupOut] = Field(description="The review groups one belongs to.")
    permissions: list[str] = Field(description="What the account may do.")
    scopes: list[str] = Field(description="What this way in carries of it.")


@router.get("me", response=MeOut, summary="Who am I", operation_id="read_me")
def read_me(request: "HttpRequest") -> MeOut:
    """The account behind the token or session: roles, review groups, and the scopes in force.

    Every valid token may ask: it needs no scope.
    """
    caller = signed_in(request)
    user = caller.user
    return MeOut(
        id=str(user.pk),
        username=user.username,
        display_name=user.get_full_name(),
        auth=caller.auth,
        roles=list(roles_of(user)),
        groups=[GroupOut(slug=group.slug, title=group.title) for group in user.review_groups.all()],
        permissions=[name for name in PERMISSION_SENTENCES if caller.holds(name)],
        scopes=[scope for scope in SCOPES if scope in caller.scopes],
    )
