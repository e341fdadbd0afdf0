"""Two people for the benchmarks: one starts runs, one decides."""

from django.contrib.auth.models import Group

from accounts.models import Membership, ReviewGroup, User
from agents import registry
from agents.services.operate_agent import activate_version
from agents.services.sync import sync_agents
from audit.actors import Actor


def people() -> tuple[User, User]:
    """The starter and the decider, with the marker hosted and active."""
    host_marker()
    starter = in_role("starter", "operator")
    decider = User.objects.create_user("decider")
    decider.groups.set(Group.objects.filter(name="reviewer"))
    Membership.objects.create(user=decider, group=ReviewGroup.objects.get(slug="benchmark"))
    return starter, decider


def host_marker() -> None:
    """Have the marker hosted and active, and its group of owners there."""
    actor = Actor.system("benchmarks")
    marker = registry.get("marker")
    sync_agents([marker], actor=actor)
    activate_version(slug="marker", digest=marker.version, caller=actor)


def in_role(name: str, role: str) -> User:
    """A new account of that name that has the role."""
    user: User = User.objects.create_user(name)
    user.groups.set(Group.objects.filter(name=role))
    return user
