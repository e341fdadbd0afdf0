"""The practice model's two endpoints. They keep nothing and read no table: the conversation is all they know."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from demo.practice import wire
from demo.practice.conversation import read_conversation
from demo.practice.review import SCHEMA_NAME, review
from demo.practice.script import next_move

View = Callable[[HttpRequest], JsonResponse]


def endpoint(method: str) -> Callable[[View], View]:
    """Ask for the method and a bearer key, and answer errors in OpenAI's format."""

    def wrap(view: View) -> View:
        # A bearer key is no cookie that a foreign page could make a browser send.
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest) -> JsonResponse:
            try:
                _check(request, method)
                return view(request)
            except wire.WireError as error:
                return JsonResponse(error.body, status=error.status)

        return answer

    return wrap


def _check(request: HttpRequest, method: str) -> None:
    if request.method != method:
        raise wire.WireError(405, f"Not allowed: use {method} here.", code="method_not_allowed")
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise wire.WireError(
            401, "You did not provide an API key; any key will do here.", code="invalid_api_key"
        )


@endpoint("POST")
def complete(request: HttpRequest) -> JsonResponse:
    """`POST chat/completions`."""
    asked = wire.read_request(request.body)
    now, talk = int(time.time()), read_conversation(asked.messages)
    if asked.asks_for(SCHEMA_NAME):
        return JsonResponse(wire.in_words(asked, review(talk.task).text(), created=now))
    move = next_move(talk, asked.schemas.keys(), asked.seed)
    return JsonResponse(wire.completion(asked, move, created=now))


@endpoint("GET")
def models(request: HttpRequest) -> JsonResponse:
    """`GET models`."""
    return JsonResponse(wire.model_list())
