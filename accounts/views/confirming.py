"""Where a second factor is used: on the way in, and to confirm that one is still there."""

import json
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.webauthn.internal.auth import begin_authentication
from allauth.mfa.webauthn.views import LoginWebAuthnView
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.browsers import renew
from accounts.confirmations import remember
from accounts.doors import signed_in
from accounts.factor_forms import (
    CodeForm,
    ConfirmCodeForm,
    ConfirmPasskeyForm,
    PasskeyForm,
    PasskeySignInForm,
)
from accounts.factors import factors_of, has_factor
from accounts.going_on import NEXT, going_on_to
from accounts.password_forms import AgainForm
from accounts.passwords import confirms_at_provider, may_use_password, provider
from accounts.reauthentication import is_confirmed
from audit.recorder import record

if TYPE_CHECKING:
    from collections.abc import Callable


class SecondStep(AuthenticateView):  # type: ignore[misc]
    """The second step of signing in, for those who have a second factor."""

    form_class = CodeForm
    webauthn_form_class = PasskeyForm
    template_name = "mfa/authenticate.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        options = context["js_data"]["request_options"]
        factors = factors_of(self.stage.login.user)
        return context | {"factors": factors, "options": json.dumps(options)}


class PasskeySignIn(LoginWebAuthnView):  # type: ignore[misc]
    """A passkey instead of user name and password; what it is and that its owner is there are two factors."""

    form_class = PasskeySignInForm

    def form_valid(self, form: PasskeySignInForm) -> HttpResponse:
        remember(self.request, form.factor)
        answer: HttpResponse = super().form_valid(form)
        return answer


@sensitive_post_parameters("code", "credential")
@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def confirm(request: HttpRequest) -> HttpResponse:
    """Show a second factor, then go on to where one came from. Holds for this session only."""
    person = signed_in(request).user
    factors = factors_of(person)
    posted = request.POST if request.method == "POST" else None
    by_passkey = posted is not None and "credential" in posted
    code = ConfirmCodeForm(None if by_passkey else posted, user=person)
    passkey = ConfirmPasskeyForm(posted if by_passkey else None, user=person)
    form = passkey if by_passkey else code
    if posted is not None and factors.any and form.is_valid():
        form.save()
        renew(request, person)
        return redirect(_next(request))
    context = {
        "form": code,
        "passkey_form": passkey,
        "factors": factors,
        "options": json.dumps(begin_authentication(person)) if factors.passkeys else "",
        "next": _next(request),
        "provider": provider() if confirms_at_provider(person) else None,
    }
    status = 200 if posted is None else 422
    return render(request, "mfa/confirm.html", context, status=status)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def confirm_password(request: HttpRequest) -> HttpResponse:
    """The password again, from somebody who has nothing better yet."""
    caller = signed_in(request)
    if has_factor(caller.user):
        return redirect(f"{reverse('second-factor-confirm')}?{urlencode({NEXT: _next(request)})}")
    if not may_use_password(caller.user):
        return redirect(f"{reverse('oidc-confirm')}?{urlencode({NEXT: _next(request)})}")
    posted = request.POST if request.method == "POST" else None
    form = AgainForm(posted, user=caller.user)
    if posted is not None and form.is_valid():
        with transaction.atomic():
            record(
                type="signin.confirmed",
                actor=caller.actor,
                stream=f"person:{caller.user.pk}",
                facts={"method": "password"},
            )
        reauthenticate_by_password(request)
        renew(request, caller.user)
        return redirect(_next(request))
    context = {"form": form, "next": _next(request)}
    return render(
        request, "mfa/confirm_password.html", context, status=200 if posted is None else 422
    )


def confirmed(view: "Callable[..., HttpResponse]") -> "Callable[..., HttpResponse]":
    """Only for somebody who has just confirmed that it is them; others do so first, and come back."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if is_confirmed(request):
            return view(request, **kwargs)
        back = request.path if request.method == "GET" else reverse("second-factor")
        return redirect(confirming_url(request, back))

    return guarded


def confirming_url(request: HttpRequest, back: str) -> str:
    """Where the person confirms that it is them, to come back to that address of ours then."""
    (method,) = get_adapter(request).get_reauthentication_methods(request.user)
    return f"{method['url']}?{urlencode({NEXT: back})}"


def _next(request: HttpRequest) -> str:
    """Where to go on to: an address of ours, or the page of second factors."""
    return going_on_to(request, reverse("second-factor"))
