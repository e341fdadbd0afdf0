"""Whether somebody showed lately that it is still them, as things that must not be done by a passer-by ask."""

import time
from typing import TYPE_CHECKING, cast

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


def is_confirmed(request: "HttpRequest") -> bool:
    """Whether the person confirmed in this session, within django-allauth's time.

    Its own question lets those through who have neither password nor factor; here they are sent to the identity
    provider.
    """
    records = get_authentication_records(request, cast("User", request.user))
    lately = [each["at"] for each in records if each.get("reauthenticated")]
    return bool(lately) and time.time() - lately[-1] < app_settings.REAUTHENTICATION_TIMEOUT
