"""Changing or setting a password: for those who may use one."""

from functools import wraps
from typing import TYPE_CHECKING, Any

from allauth.account import views as allauth
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from accounts.doors import signed_in
from accounts.passwords import may_use_password

if TYPE_CHECKING:
    from collections.abc import Callable


def _with_password(view: "Callable[..., HttpResponse]") -> "Callable[..., HttpResponse]":
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if may_use_password(signed_in(request).user):
            return view(request, *args, **kwargs)
        messages.error(
            request,
            gettext("You sign in at the identity provider: your password is changed there."),
        )
        return redirect("settings")

    return guarded


change = _with_password(allauth.password_change)
set_first = _with_password(allauth.password_set)
