"""Who may read the figures: whoever has the token, or asks from a network of the settings."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

#: How headers that proxies add begin, in small letters. Behind one everybody seems to ask from where it stands.
FORWARDED: Final = ("forwarded", "x-forwarded-", "x-real-ip", "via")
WHAT_TO_DO: Final = (
    "These figures are for whoever asks with the bearer token of COUNTERSIGN_METRICS_TOKEN, or from a network of "
    "COUNTERSIGN_METRICS_NETWORKS.\n"
)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """The answer to who may not read the figures; None to who may."""
    if _has_token(request) or _is_near(request):
        return None
    status = HTTPStatus.FORBIDDEN
    if settings.COUNTERSIGN.metrics_token:
        status = HTTPStatus.UNAUTHORIZED
    answer = HttpResponse(WHAT_TO_DO, content_type="text/plain", status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return answer


def _has_token(request: HttpRequest) -> bool:
    token: str = settings.COUNTERSIGN.metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return (
        bool(token) and scheme.lower() == "bearer" and constant_time_compare(given.strip(), token)
    )


def _is_near(request: HttpRequest) -> bool:
    if any(name.lower().startswith(FORWARDED) for name in request.headers):
        return False
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in settings.COUNTERSIGN.metrics_networks)
