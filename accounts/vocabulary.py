"""Permissions, roles and token scopes: the words, and which belong together."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from audit.wordings import Words

Permission = Literal[
    "start_runs",
    "control_runs",
    "decide_requests",
    "publish_policies",
    "manage_people",
    "manage_agents",
    "read_audit",
    "export_audit",
    "read_everything",
    "read_sensitive",
    "grant_sticky_approvals",
    "keep_records",
]
Scope = Literal["read", "run", "decide", "audit", "admin"]
FactorMethod = Literal["authenticator_app", "passkey", "recovery_code", "identity_provider"]
FactorPurpose = Literal["sign_in", "confirmation"]
RoleName = Literal[
    "reviewer",
    "admin",
    "operator",
    "auditor",
    "sensitive-reader",
    "sticky-approver",
    "records-keeper",
]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

PERMISSION_SENTENCES: Final[dict[Permission, str]] = {
    "start_runs": "Can start runs",
    "control_runs": "Can cancel, pause and resume runs",
    "decide_requests": "Can decide approval requests",
    "publish_policies": "Can change and publish policies",
    "manage_people": "Can manage people, roles and review groups",
    "manage_agents": "Can enable, disable and activate agents",
    "read_audit": "Can read the audit log",
    "export_audit": "Can export the audit log",
    "read_everything": "Can see every run and request",
    "read_sensitive": "Can see sensitive arguments",
    "grant_sticky_approvals": "Can let calls like an approved one run by themselves for a while",
    "keep_records": "Can set legal holds, and propose and confirm erasures in the audit log",
}

# A scope is worth having only if the account holds one of these; reading one's own is open to all.
SCOPE_PERMISSIONS: Final[dict[Scope, frozenset[Permission]]] = {
    "read": frozenset(),
    "run": frozenset({"start_runs", "control_runs"}),
    "decide": frozenset({"decide_requests", "grant_sticky_approvals"}),
    "audit": frozenset({"read_audit", "export_audit", "keep_records"}),
    "admin": frozenset({"publish_policies", "manage_people", "manage_agents"}),
}


FACTOR_WORDS: Final = Words(
    {
        "authenticator_app": "authenticator app",
        "passkey": "passkey",
        "recovery_code": "recovery code",
        "identity_provider": "identity provider",
    }
)


@dataclass(frozen=True)
class Role:
    """A named set of permissions, kept as the Django group of the same name."""

    name: RoleName
    title: str
    summary: str
    permissions: frozenset[Permission]


ROLES: Final[dict[RoleName, Role]] = {
    role.name: role
    for role in (
        Role(
            "reviewer",
            "Reviewer",
            "Decides what agents ask for, within their review groups.",
            frozenset({"decide_requests"}),
        ),
        Role(
            "admin",
            "Admin",
            "Manages people, agents and policies; sees everything; decides like a reviewer.",
            frozenset(
                {
                    "start_runs",
                    "control_runs",
                    "decide_requests",
                    "publish_policies",
                    "manage_people",
                    "manage_agents",
                    "read_everything",
                }
            ),
        ),
        Role(
            "operator",
            "Operator",
            "Starts runs and watches over them.",
            frozenset({"start_runs", "control_runs"}),
        ),
        Role(
            "auditor",
            "Auditor",
            "Reads everything, searches and exports the audit log; changes nothing.",
            frozenset({"read_audit", "export_audit", "read_everything"}),
        ),
        Role(
            "sensitive-reader",
            "Sensitive reader",
            "Sees sensitive arguments, on top of another role.",
            frozenset({"read_sensitive"}),
        ),
        Role(
            "sticky-approver",
            "Sticky approver",
            "Lets calls like an approved one run by themselves for a while, on top of the reviewer role.",
            frozenset({"grant_sticky_approvals"}),
        ),
        Role(
            "records-keeper",
            "Records keeper",
            "Reads the audit log, sets legal holds, and proposes or confirms erasures in it, with a second keeper.",
            frozenset({"read_audit", "keep_records"}),
        ),
    )
}


def scopes_for(permissions: frozenset[Permission]) -> frozenset[Scope]:
    """Every scope an account with these permissions can put to use."""
    return frozenset(
        scope for scope, needed in SCOPE_PERMISSIONS.items() if not needed or needed & permissions
    )
