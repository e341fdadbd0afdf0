"""What middleware has in common that answers sync and async requests alike."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


class BothWays(ABC):
    """Tells Django which of the two it is; `is_async` is for the answering to ask."""

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: "Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]",
    ) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    @abstractmethod
    def __call__(self, request: "HttpRequest") -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        """The answer, or what it is awaited from where `is_async`."""
