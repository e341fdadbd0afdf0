"""The web process: static files, pages and API through Django, sockets through Channels."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "countersign.settings")
# Settings give a process that answers requests a pool of connections.
os.environ.setdefault("COUNTERSIGN_PROCESS", "web")

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402

from countersign.addresses import prepare  # noqa: E402
from countersign.config import load  # noqa: E402

prepare(load())
pages = get_asgi_application()

# These read models, which exist only once Django is set up.
from channels.auth import AuthMiddlewareStack  # noqa: E402

from django.conf import settings  # noqa: E402

from django.conf import settings  # noqa: E402

from approvals.routing import websocket_urlpatterns  # noqa: E402
from countersign.body_limit import BodyLimit  # noqa: E402
from countersign.body_limit import BodyLimit  # noqa: E402
from countersign.static import StaticFiles  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(BodyLimit(pages, max_bytes=settings.COUNTERSIGN.max_body_bytes)),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        ),
    }
)
