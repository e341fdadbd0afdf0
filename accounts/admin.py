"""Django's admin: the way in is ours, and nobody reads or changes second factors there."""

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from django.contrib import admin

# Its own form would let in who knows the password and has no second factor at hand.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# Each change of a factor is an event, and what is kept of one is not for reading.
admin.site.unregister(Authenticator)
