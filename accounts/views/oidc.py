"""Signing in, confirming and signing out at the identity provider."""

from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import structlog
from allauth.account.internal.flows.login import (
    get_authentication_records,
    perform_login,
    record_authentication,
)
from allauth.account.models import Login
from allauth.account.views import LogoutView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.browsers import renew
from accounts.confirmations import remember_provider
from accounts.doors import caller_of, signed_in
from accounts.factors import has_factor
from accounts.going_on import going_on_to
from accounts.login_stages import STRONG
from accounts.oidc.errors import NotConfirmed
from accounts.oidc.exchange import departure, leaving, returned
from accounts.oidc.id_token import LEEWAY_SECONDS
from accounts.passwords import is_linked, provider
from accounts.problems import status_of
from accounts.services.admit import admit
from accounts.services.link_identity import is_of
from audit.errors import Refusal
from audit.recorder import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.oidc.exchange import Errand, Return
    from accounts.oidc.terms import Terms

log = structlog.get_logger(__name__)

#: What django-allauth calls a sign-in at a provider.
RECORDED: Final = "socialaccount"


def with_provider(view: "Callable[..., HttpResponse]") -> "Callable[..., HttpResponse]":
    """Only where an identity provider is set; what goes wrong with it is said on a page of ours."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        terms = provider()
        if terms is None:
            raise Http404
        try:
            return view(request, terms)
        except Refusal as refusal:
            log.warning("oidc_refused", code=refusal.code, why=getattr(refusal, "why", ""))
            context = {"refusal": refusal, "provider": terms}
            return render(
                request, "account/provider_refused.html", context, status=status_of(refusal)
            )

    return guarded


@require_POST
@never_cache
@with_provider
def sign_in(request: HttpRequest, terms: "Terms") -> HttpResponse:
    """On to the provider."""
    go_on = going_on_to(request, settings.LOGIN_REDIRECT_URL)
    return _departure(request, terms, errand="sign_in", go_on=go_on)


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
@with_provider
def confirm(request: HttpRequest, terms: "Terms") -> HttpResponse:
    """On to the provider, which asks again, for whoever signs in there."""
    go_on = going_on_to(request, settings.LOGIN_REDIRECT_URL)
    if not is_linked(signed_in(request).user):
        raise NotConfirmed("the person is not linked to the provider")
    if request.method == "POST":
        return _departure(request, terms, errand="confirmation", go_on=go_on)
    return render(request, "account/provider_confirm.html", {"provider": terms, "next": go_on})


@require_GET
@never_cache
@with_provider
def callback(request: HttpRequest, terms: "Terms") -> HttpResponse:
    """Back from the provider."""
    back = returned(request, terms)
    if back.errand == "confirmation":
        return _confirmed(request, terms, back)
    person = admit(identity=back.identity, terms=terms, request=request)
    strong = back.identity.strong
    record_authentication(request, person, RECORDED, **({STRONG: True} if strong else {}))
    if strong and back.identity.signed_in_at is not None:
        # By the provider's clock, and so perhaps long ago: whoever asks for a fresh one sees that.
        remember_provider(request, person, _moment(back.identity.signed_in_at, back.left_at))
    answer: HttpResponse = perform_login(request, Login(user=person, redirect_url=back.next))
    return answer


def _confirmed(request: HttpRequest, terms: "Terms", back: "Return") -> HttpResponse:
    """Whoever is signed in here has just signed in there again."""
    caller, identity = caller_of(request), back.identity
    if caller is None or not is_of(caller.user, identity):
        raise NotConfirmed("somebody else confirmed")
    if identity.signed_in_at is None or identity.signed_in_at < back.left_at - LEEWAY_SECONDS:
        raise NotConfirmed("the provider did not ask again")
    with transaction.atomic():
        record(
            type="signin.confirmed",
            actor=caller.actor,
            stream=f"person:{caller.user.pk}",
            facts={"method": "identity_provider"},
        )
    # Who has a second factor confirms with one, here or there: the provider's password alone replaces none.
    if identity.strong or not has_factor(caller.user):
        record_authentication(request, caller.user, RECORDED, reauthenticated=True)
    renew(request, caller.user)
    if identity.strong:
        remember_provider(
            request, caller.user, _moment(identity.signed_in_at, identity.signed_in_at)
        )
    elif terms.second_factor:
        messages.warning(
            request,
            gettext(
                "{provider} confirmed that it is you, but did not ask for a second factor."
            ).format(provider=terms.name),
        )
    return redirect(back.next)


def _departure(
    request: HttpRequest, terms: "Terms", *, errand: "Errand", go_on: str
) -> HttpResponse:
    return _leave(request, terms, departure(request, terms, errand=errand, go_on=go_on))


def _leave(request: HttpRequest, terms: "Terms", address: str) -> HttpResponse:
    """A page that goes on by itself: a redirect would be a form that is sent to a foreign address, which our
    content security policy allows no page."""
    answer = render(request, "account/provider_go.html", {"provider": terms, "address": address})
    answer["Refresh"] = f"0; url={address}"
    return answer


def _moment(seconds: float, at_most: float) -> datetime:
    return datetime.fromtimestamp(min(seconds, at_most), tz=UTC)


class SignOut(LogoutView):  # type: ignore[misc]
    """Here, and at the provider where the settings say so and the person came from there."""

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        terms, request = provider(), self.request
        came_from_there = _came_from_provider(request)
        answer: HttpResponse = super().post(*args, **kwargs)
        if terms is None or not terms.sign_out or not came_from_there:
            return answer
        address = leaving(terms)
        return _leave(request, terms, address) if address else answer


def _came_from_provider(request: HttpRequest) -> bool:
    caller = caller_of(request)
    if caller is None:
        return False
    records = get_authentication_records(request, caller.user)
    return any(each["method"] == RECORDED for each in records)
