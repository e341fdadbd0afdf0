"""One's own second factors: what there is, adding, renaming, removing; recovery codes, shown once."""

import ipaddress
import json
from typing import TYPE_CHECKING, Final

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.internal.auth import begin_registration
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import totp
from accounts.doors import signed_in
from accounts.errors import AppThere, NoSuchFactor, NothingToRecover, WrongCode
from accounts.factor_forms import AddPasskeyForm, AppForm, PasskeyNameForm
from accounts.factor_secrets import decrypt, encrypt
from accounts.factors import Passkey, factors_of
from accounts.services.add_factor import add_app, add_passkey
from accounts.services.make_recovery_codes import make_recovery_codes
from accounts.services.remove_factor import remove_factor, rename_passkey
from accounts.views.confirming import confirmed
from audit.clock import database_now

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from accounts.models import User

PENDING_APP: Final = "second_factor.app"
DOWNLOAD: Final = "second_factor.download"


@require_GET
@login_required
@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """What one has, and the ways to more."""
    factors = factors_of(signed_in(request).user)
    return render(
        request,
        "mfa/index.html",
        {"factors": factors, "host_takes_passkeys": _host_takes_passkeys(request)},
    )


@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
@login_required
@confirmed
@never_cache
def app_add(request: HttpRequest) -> HttpResponse:
    """An authenticator app: the secret as picture and text, and a code that shows that it was read."""
    person = signed_in(request).user
    secret = _pending_secret(request)
    form = AppForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            codes = add_app(
                person=person,
                secret=secret,
                code=form.cleaned_data["code"],
                now=database_now(),
                request=request,
            )
        except (WrongCode, AppThere) as refusal:
            form.add_error("code", refusal.detail)
        else:
            del request.session[PENDING_APP]
            return _added(request, codes, gettext("The authenticator app is added."))
    context = {"form": form, "secret": _in_fours(secret), "picture": _picture(person, secret)}
    return render(request, "mfa/app_add.html", context, status=422 if form.errors else 200)


@sensitive_post_parameters("credential")
@require_http_methods(["GET", "POST"])
@login_required
@confirmed
@never_cache
def passkey_add(request: HttpRequest) -> HttpResponse:
    """A passkey, which the browser makes."""
    person = signed_in(request).user
    form = AddPasskeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        codes = add_passkey(
            person=person,
            name=form.cleaned_data["name"],
            credential=form.cleaned_data["credential"],
            request=request,
        )
        return _added(request, codes, gettext("The passkey is added."))
    context = {
        "form": form,
        "options": json.dumps(begin_registration(person, passwordless=False)),
        "host_takes_passkeys": _host_takes_passkeys(request),
    }
    return render(request, "mfa/passkey_add.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
@confirmed
@never_cache
def passkey_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Call a passkey something else."""
    passkey = _own_passkey(request, pk)
    posted = request.POST if request.method == "POST" else None
    form = PasskeyNameForm(posted, initial={"name": passkey.name})
    if posted is not None and form.is_valid():
        name = form.cleaned_data["name"]
        rename_passkey(person=signed_in(request).user, factor_id=pk, name=name, request=request)
        return redirect("second-factor")
    context = {"form": form, "passkey": passkey}
    return render(request, "mfa/passkey_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
@confirmed
@never_cache
def factor_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove the app or a passkey, after asking."""
    person = signed_in(request).user
    factors = factors_of(person)
    if request.method == "POST":
        try:
            remove_factor(person=person, factor_id=pk, request=request)
        except NoSuchFactor as refusal:
            raise Http404(refusal.detail) from refusal
        messages.success(request, gettext("It is removed, and confirms nothing any more."))
        return redirect("second-factor")
    passkey = next((each for each in factors.passkeys if each.pk == pk), None)
    if passkey is None and (factors.app is None or factors.app.pk != pk):
        raise Http404(NoSuchFactor().detail)
    last = len(factors.passkeys) + (factors.app is not None) == 1
    return render(request, "mfa/remove.html", {"passkey": passkey, "last": last, "pk": pk})


@require_http_methods(["GET", "POST"])
@login_required
@confirmed
@never_cache
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes. The answer itself shows them, this once; the old ones end."""
    person = signed_in(request).user
    if request.method == "POST":
        try:
            codes = make_recovery_codes(person=person, request=request)
        except NothingToRecover as refusal:
            messages.error(request, refusal.detail)
            return redirect("second-factor")
        return _codes(request, codes)
    return render(request, "mfa/codes_make.html", {"left": factors_of(person).codes_left})


@require_POST
@login_required
@never_cache
def recovery_codes_download(request: HttpRequest) -> HttpResponse:
    """The codes that were just shown, as a file, once."""
    kept = request.session.pop(DOWNLOAD, None)
    if kept is None:
        raise Http404(gettext("The codes were shown once."))
    text = "\n".join(
        [gettext("Recovery codes for Countersign. Each is good once."), "", decrypt(kept), ""]
    )
    return HttpResponse(
        text,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="recovery-codes.txt"'},
    )


def _added(request: HttpRequest, codes: list[str], sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    return _codes(request, codes) if codes else redirect("second-factor")


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    request.session[DOWNLOAD] = encrypt("\n".join(codes))
    return render(request, "mfa/codes.html", {"codes": codes})


def _pending_secret(request: HttpRequest) -> str:
    """The secret of the app that is being added; the same until it is, kept encrypted."""
    kept = request.session.get(PENDING_APP)
    if kept is not None:
        return decrypt(kept)
    secret = totp.new_secret()
    request.session[PENDING_APP] = encrypt(secret)
    return secret


def _picture(person: "User", secret: str) -> "SafeString":
    """The QR code as an SVG element to stand in the page: our policy takes no data: image."""
    adapter = get_adapter()
    document: str = adapter.build_totp_svg(adapter.build_totp_url(person, secret))
    # Made of numbers by the library; nothing in it was typed by anybody.
    return mark_safe(document[document.index("<svg") :])  # noqa: S308


def _in_fours(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def _own_passkey(request: HttpRequest, pk: int) -> Passkey:
    own = factors_of(signed_in(request).user).passkeys
    passkey = next((each for each in own if each.pk == pk), None)
    if passkey is None:
        raise Http404(NoSuchFactor().detail)
    return passkey


def _host_takes_passkeys(request: HttpRequest) -> bool:
    """Passkeys are bound to a host name; browsers make none for a bare address."""
    host, _ = split_domain_port(request.get_host())
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False
