"""What is one's own: theme, tokens, roles, password."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.absences import absences_of
from accounts.browsers import browsers_of
from accounts.doors import signed_in
from accounts.errors import BadToken, ScopeBeyondAccount, UnknownSession, UnknownToken
from accounts.factors import has_factor
from accounts.forms import TokenForm
from accounts.models import ApiToken
from accounts.passwords import confirms_at_provider, provider
from accounts.reauthentication import is_confirmed
from accounts.roles import roles_of
from accounts.services.create_token import NewToken, create_token
from accounts.services.end_sessions import end_other_sessions, end_session
from accounts.services.revoke_token import revoke_token
from accounts.views.confirming import confirming_url
from accounts.vocabulary import ROLES


@require_GET
@login_required
@never_cache
def settings(request: HttpRequest) -> HttpResponse:
    return _page(request, TokenForm(person=signed_in(request).user))


@require_POST
@login_required
@never_cache
def token_create(request: HttpRequest) -> HttpResponse:
    """On success the answer itself shows the token: it is stored nowhere, so it is shown once.

    It outlives the session, so a session that somebody else came by makes none.
    """
    caller = signed_in(request)
    if not is_confirmed(request):
        return redirect(confirming_url(request, reverse("settings")))
    form = TokenForm(request.POST, person=caller.user)
    if form.is_valid():
        try:
            made = create_token(
                person=caller.user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                lifetime=form.chosen_lifetime,
                caller=caller,
            )
        except (BadToken, ScopeBeyondAccount) as refusal:
            form.add_error(None, refusal.detail)
        else:
            return _page(request, TokenForm(person=caller.user), made=made)
    return _page(request, form, status=422)


@require_POST
@login_required
def token_revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    try:
        revoke_token(token_id=pk, caller=signed_in(request))
    except UnknownToken as refusal:
        raise Http404(refusal.detail) from refusal
    messages.success(request, gettext("The token is revoked. Nothing can use it any more."))
    return redirect("settings")


@require_POST
@login_required
def session_end(request: HttpRequest, handle: str) -> HttpResponse:
    """Sign out one browser."""
    try:
        device = end_session(handle=handle, caller=signed_in(request))
    except UnknownSession as gone:
        # Somebody was faster, or it ended by itself: what was wanted is so.
        messages.info(request, gone.detail)
    else:
        messages.success(request, gettext("{device} is signed out.").format(device=device))
    return redirect("settings")


@require_POST
@login_required
def sessions_end(request: HttpRequest) -> HttpResponse:
    """Sign out every browser but this one."""
    key = str(request.session.session_key)
    ended = end_other_sessions(keep=key, caller=signed_in(request))
    if ended:
        messages.success(request, gettext("Every other browser is signed out."))
    else:
        messages.info(request, gettext("You were signed in nowhere else."))
    if tokens := ApiToken.objects.visible_to(signed_in(request).user).usable().count():
        messages.info(
            request,
            ngettext(
                "{count} API token of yours holds all the same: revoke it below if it is in wrong hands too.",
                "{count} API tokens of yours hold all the same: revoke below what is in wrong hands too.",
                tokens,
            ).format(count=tokens),
        )
    return redirect("settings")


def _page(
    request: HttpRequest, form: TokenForm, *, made: NewToken | None = None, status: int = 200
) -> HttpResponse:
    user = signed_in(request).user
    return render(
        request,
        "settings/settings.html",
        {
            "form": form,
            "made": made,
            "tokens": ApiToken.objects.visible_to(user).usable().newest_first(),
            "roles": [ROLES[name] for name in roles_of(user)],
            "review_groups": user.review_groups.all(),
            "confirm_url": ""
            if is_confirmed(request)
            else confirming_url(request, f"{reverse('settings')}#new"),
            "may_decide": user.has_perm("accounts.decide_requests"),
            **absences_of(user),
            "has_factor": has_factor(user),
            "confirms_at": provider() if confirms_at_provider(user) else None,
            "browsers": browsers_of(user, request),
        },
        status=status,
    )
