"""Two people for the benchmarks: one starts runs, one decides."""

from django.contrib.auth.models import Group

from accounts.models import Membership, ReviewGroup, User
from agents import registry
from agents.services.operate_agent import activate_version
from agents.services.sync import sync_agents
from audit.actors import Actor


def people() -> tuple[User, User]:
    """The starter and the decider, with the marker hosted and active."""
    actor = Actor.system("benchmarks")
    marker = registry.get("marker")
    sync_agents([marker], actor=actor)
    activate_version(slug="marker", digest=marker.version, caller=actor)
    starter = User.objects.create_user("starter")
    starter.groups.set(Group.objects.filter(name="operator"))
    decider = User.objects.create_user("decider")
    decider.groups.set(Group.objects.filter(name="reviewer"))
    Membership.objects.create(user=decider, group=ReviewGroup.objects.get(slug="benchmark"))
    return starter, decider
