"""Addresses of sign-in, people and settings.

django-allauth's views stand under its usual names and paths. Only what the product uses is here:
people have one e-mail address, which an admin gives.
"""

from allauth.account import views as allauth
from django.urls import path, re_path

from accounts.views import absences, people, settings

urlpatterns = [
    path("accounts/login/", allauth.login, name="account_login"),
    path("accounts/logout/", allauth.logout, name="account_logout"),
    path("accounts/inactive/", allauth.account_inactive, name="account_inactive"),
    path("accounts/signup/", allauth.signup, name="account_signup"),
    path("accounts/password/change/", allauth.password_change, name="account_change_password"),
    path("accounts/password/set/", allauth.password_set, name="account_set_password"),
    path("accounts/password/reset/", allauth.password_reset, name="account_reset_password"),
    path(
        "accounts/password/reset/done/",
        allauth.password_reset_done,
        name="account_reset_password_done",
    ),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("people/", people.people, name="people"),
    path("people/add/", people.person_add, name="person-add"),
    path("people/<int:pk>/", people.person_detail, name="person-detail"),
    path("people/<int:pk>/invitation/", people.person_invite, name="person-invite"),
    path("people/<int:pk>/absence/", absences.person_absence, name="person-absence"),
    path("people/groups/add/", people.group_add, name="group-add"),
    path("settings/", settings.settings, name="settings"),
    path("settings/absence/", absences.own_absence, name="own-absence"),
    path("settings/absences/<uuid:pk>/end/", absences.absence_end, name="absence-end"),
    path("settings/tokens/", settings.token_create, name="token-create"),
    path("settings/tokens/<uuid:pk>/revoke/", settings.token_revoke, name="token-revoke"),
]
