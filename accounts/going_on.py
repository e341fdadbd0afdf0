"""Where somebody goes on to: never to an address that is not ours."""

from typing import TYPE_CHECKING, Final

from django.utils.http import url_has_allowed_host_and_scheme

if TYPE_CHECKING:
    from django.http import HttpRequest

NEXT: Final = "next"


def going_on_to(request: "HttpRequest", otherwise: str) -> str:
    """The address of ours, without a host, that the request names as `next`; or the other one."""
    wanted = str(request.POST.get(NEXT) or request.GET.get(NEXT) or "")
    ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # What does not begin so, `redirect` takes for the name of a view.
    return wanted if ours and wanted.startswith("/") else otherwise
