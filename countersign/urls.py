"""Every address of the product."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from countersign import metrics
from countersign.api import api
from countersign.appearance import set_theme
from countersign.finding import find
from countersign.styleguide import styleguide

urlpatterns = [
    path("metrics", metrics.metrics, name="metrics"),
    path("theme", set_theme, name="theme"),
    path("find/", find, name="find"),
    path("styleguide/", styleguide, name="styleguide"),
    path("api/v1/", api.urls),
    path("django-admin/", admin.site.urls),
    path("", include("accounts.urls")),
    path("", include("audit.urls")),
    path("", include("approvals.urls")),
    path("", include("evaluations.urls")),
    path("", include("agents.urls")),
    path("", include("insights.urls")),
    *([path("", include("demo.urls"))] if settings.COUNTERSIGN.demo else []),
]

handler400 = "countersign.views.bad_request"
handler403 = "countersign.views.forbidden"
