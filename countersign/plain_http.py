"""Programs that ask over plain HTTP where https is demanded are told so, and not led on."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.middleware import API
from accounts.problems import problem
from countersign.before_requests import before_each_request


@before_each_request
def refuse_programs(request: HttpRequest) -> HttpResponse | None:
    """Pages are redirected to https; the API refuses."""
    if not settings.SECURE_SSL_REDIRECT or request.is_secure() or not request.path.startswith(API):
        return None
    return problem(
        request,
        HTTPStatus.FORBIDDEN,
        code="https_required",
        detail="Ask over https. Whoever stood on the way could read this request: if it bore a token, "
        "revoke that one and make another.",
    )
