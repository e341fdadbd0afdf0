"""An address that holds a NUL names nothing: PostgreSQL stores the character in no text.

Refused here once, since every filter and every identifier in an address would fail in the database.
"""

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest

from countersign.before_requests import before_each_request


@before_each_request
def no_nul(request: HttpRequest) -> None:
    """404 for a NUL in the path, 400 for one in the query."""
    if "\0" in request.path:
        raise Http404("No address holds a NUL character.")
    query = request.META.get("QUERY_STRING", "")
    if "%00" in query or "\0" in query:
        raise BadRequest("No address holds a NUL character.")
