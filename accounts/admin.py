"""Django's admin: the way in is ours, and nobody reads or changes second factors there."""

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group

# Its own form would let in who knows the password and has no second factor at hand.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# Each change of a factor is an event, and what is kept of one is not for reading.
admin.site.unregister(Authenticator)
# Roles are groups: what one allows is said by the code, and who has one changes by events alone.
admin.site.unregister(Group)
# An address given to somebody here would get the links for a new password of theirs.
admin.site.unregister(EmailAddress)
