"""The web process: static files, pages and API through Django, sockets through Channels."""

import os
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "countersign.settings")
# Settings give a process that answers requests a pool of connections.
os.environ.setdefault("COUNTERSIGN_PROCESS", "web")

import django

from countersign.garbage import nothing_is_garbage

with nothing_is_garbage():
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator
    from django.conf import settings

    from countersign.addresses import prepare
    from countersign.config import load

    prepare(load())
    django.setup(set_prefix=False)

    # These read models or addresses, which exist only once Django is set up.
    from channels.auth import AuthMiddlewareStack
    from django.urls import reverse

    from agents.registry import require_sound
    from approvals.routing import websocket_urlpatterns
    from countersign.body_limit import BodyLimit
    from countersign.in_one_thread import InOneThread
    from countersign.in_turn import InTurn
    from countersign.lifespan import Lifespan
    from countersign.requests import Requests
    from countersign.static import Application, StaticFiles

    require_sound()
    pages = InOneThread()
    limited = BodyLimit(cast("Application", pages), max_bytes=settings.COUNTERSIGN.max_body_bytes)
    # Naming an address reads all of them, and so every page and operation.
    looks = {reverse("inbox-rows"), reverse("inbox-counts")}

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(Requests(InTurn(limited, pages=pages, paths=looks))),
        "lifespan": Lifespan(),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        ),
    }
)
