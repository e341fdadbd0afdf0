"""What the shell of every page needs: navigation by permission, the inbox's count, theme, practice model."""

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language, gettext

from accounts.doors import signed_in
from accounts.keymap import KeyMap
from accounts.roles import roles_of
from accounts.vocabulary import ROLES
from agents.switchboard import global_switch
from approvals.desk import Desk
from audit.spellings import ENGLISH, language
from countersign.appearance import THEMES, cookie_name, theme_of


@dataclass(frozen=True)
class Destination:
    """A place in the rail. It is shown to who holds any of `permissions`; none named means everybody.

    `further` ones stand in the account menu where the window is too narrow for all.
    """

    key: str
    label: str
    icon: str
    url_name: str
    prefixes: tuple[str, ...]
    permissions: tuple[str, ...] = ()
    further: bool = False


DESTINATIONS: Final = (
    Destination("inbox", "Inbox", "inbox", "inbox", ("/inbox/", "/requests/")),
    Destination("runs", "Runs", "runs", "run-list", ("/runs/",)),
    Destination(
        "agents", "Agents", "agents", "agent-list", ("/agents/", "/prices/", "/evaluations/")
    ),
    Destination(
        "policies",
        "Policies",
        "policies",
        "policy-thresholds",
        ("/policies/",),
        ("publish_policies", "decide_requests", "read_everything"),
    ),
    Destination(
        "switches",
        "Kill switches",
        "stop",
        "kill-switches",
        ("/kill-switches/",),
        ("manage_agents",),
        further=True,
    ),
    Destination("audit", "Audit", "audit", "audit-list", ("/audit/",), ("read_audit",)),
    Destination(
        "insights",
        "Insights",
        "insights",
        "insights",
        ("/insights/",),
        ("start_runs", "read_everything"),
        further=True,
    ),
    Destination(
        "people", "People", "people", "people", ("/people/",), ("manage_people",), further=True
    ),
    Destination("settings", "Settings", "settings", "settings", ("/settings/",)),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of base.html. For a visitor who is not signed in: the theme alone."""
    context: dict[str, Any] = {
        "theme": theme_of(request),
        "theme_cookie": cookie_name(),
        "theme_choices": list(THEMES.items()),
        "languages": settings.LANGUAGES,
        "language": get_language(),
        "words_js": _words_js(),
        "identity_provider": settings.COUNTERSIGN.oidc,
        "passwords_on": settings.COUNTERSIGN.passwords,
    }
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return context
    return context | {
        "nav": SimpleLazyObject(lambda: _destinations(request)),
        "settings_url": _address("settings"),
        "keymap": KeyMap.read(user.keymap),
        # Not even thought out where a page has counted them itself, or shows no rail.
        "inbox_count": SimpleLazyObject(lambda: Desk(signed_in(request)).counts["team"]),
        "role_names": SimpleLazyObject(
            lambda: [gettext(ROLES[name].title) for name in roles_of(user)]
        ),
        "everything_off": SimpleLazyObject(global_switch),
        "practice_model": settings.COUNTERSIGN.practice,
    }


def _words_js() -> str:
    """The script with the words of scripts; none for the language that they are written in."""
    here = language()
    return "" if here == ENGLISH else f"js/words/{here}.js"


def _destinations(request: HttpRequest) -> list[dict[str, str | bool]]:
    shown: list[dict[str, str | bool]] = []
    for destination in DESTINATIONS:
        url = _address(destination.url_name)
        if url is None or not _may_go(request, destination):
            continue
        inside = request.path == "/" and destination.key == "inbox"
        inside = inside or request.path.startswith(destination.prefixes)
        current = "page" if request.path == url else "true" if inside else ""
        shown.append(
            {
                "key": destination.key,
                "label": gettext(destination.label),
                "icon": destination.icon,
                "url": url,
                "current": current,
                "further": destination.further,
            }
        )
    return shown


def _may_go(request: HttpRequest, destination: Destination) -> bool:
    return not destination.permissions or any(
        request.user.has_perm(f"accounts.{permission}") for permission in destination.permissions
    )


def _address(url_name: str) -> str | None:
    try:
        return reverse(url_name)
    except NoReverseMatch:
        # An app that is not installed (agents may be left out) has no pages to go to.
        return None
