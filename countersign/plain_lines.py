"""Lines of texts that people type end as they do everywhere else.

A browser sends a line of a text field with CRLF at its end (HTML, 4.10.22.8). Kept so, it would be another text
than the same one sent over the API, and a carriage return is marked wherever unseen characters are.
"""

from django.http import HttpRequest, QueryDict

from countersign.before_requests import before_each_request


@before_each_request
def plain_lines(request: HttpRequest) -> None:
    """LF for CRLF in every field of a posted form."""
    if request.method != "POST" or not any(
        "\r\n" in str(value) for _, values in request.POST.lists() for value in values
    ):
        return
    mended = QueryDict(mutable=True, encoding=request.POST.encoding)
    for name, values in request.POST.lists():
        mended.setlist(name, [str(value).replace("\r\n", "\n") for value in values])
    mended._mutable = False
    request.POST = mended  # type: ignore[assignment]
