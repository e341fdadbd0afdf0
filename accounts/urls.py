"""Addresses of sign-in, people and settings.

django-allauth's views stand under its usual names and paths. Only what the product uses is here:
people have one e-mail address, which an admin gives.
"""

from allauth.account import views as allauth
from django.urls import path, re_path

from accounts.views import (
    absences,
    confirming,
    keys,
    languages,
    oidc,
    passwords,
    people,
    second_factor,
    settings,
)

urlpatterns = [
    path("accounts/login/", allauth.login, name="account_login"),
    # The names of these two are django-allauth's: its sign-in leads there.
    path("accounts/login/second-factor/", confirming.SecondStep.as_view(), name="mfa_authenticate"),
    path("accounts/login/passkey/", confirming.PasskeySignIn.as_view(), name="mfa_login_webauthn"),
    path("accounts/oidc/login/", oidc.sign_in, name="oidc-sign-in"),
    path("accounts/oidc/callback/", oidc.callback, name="oidc-callback"),
    path("accounts/oidc/confirm/", oidc.confirm, name="oidc-confirm"),
    path("accounts/logout/", oidc.SignOut.as_view(), name="account_logout"),
    path("accounts/inactive/", allauth.account_inactive, name="account_inactive"),
    path("accounts/signup/", allauth.signup, name="account_signup"),
    path("accounts/password/change/", passwords.change, name="account_change_password"),
    path("accounts/password/set/", passwords.set_first, name="account_set_password"),
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
    path("people/<int:pk>/sessions/end/", people.sessions_end, name="person-sessions-end"),
    path("people/<int:pk>/absence/", absences.person_absence, name="person-absence"),
    path("settings/absence/", absences.own_absence, name="own-absence"),
    path("settings/absences/<uuid:pk>/end/", absences.absence_end, name="absence-end"),
    path("people/<int:pk>/second-factor/reset/", people.factors_reset, name="person-factors-reset"),
    path("people/groups/add/", people.group_add, name="group-add"),
    path("language/", languages.set_language, name="language"),
    path("settings/", settings.settings, name="settings"),
    path("settings/second-factor/", second_factor.second_factor, name="second-factor"),
    path("settings/second-factor/app/", second_factor.app_add, name="second-factor-app-add"),
    path(
        "settings/second-factor/passkeys/add/",
        second_factor.passkey_add,
        name="second-factor-passkey-add",
    ),
    path(
        "settings/second-factor/passkeys/<int:pk>/",
        second_factor.passkey_edit,
        name="second-factor-passkey-edit",
    ),
    path(
        "settings/second-factor/<int:pk>/remove/",
        second_factor.factor_remove,
        name="second-factor-remove",
    ),
    path("settings/second-factor/codes/", second_factor.recovery_codes, name="second-factor-codes"),
    path(
        "settings/second-factor/codes/download/",
        second_factor.recovery_codes_download,
        name="second-factor-codes-download",
    ),
    path("settings/second-factor/confirm/", confirming.confirm, name="second-factor-confirm"),
    path("settings/second-factor/password/", confirming.confirm_password, name="password-confirm"),
    path("settings/keys/", keys.own_keys, name="own-keys"),
    path("settings/sessions/end/", settings.sessions_end, name="sessions-end"),
    path("settings/sessions/<slug:handle>/end/", settings.session_end, name="session-end"),
    path("settings/tokens/", settings.token_create, name="token-create"),
    path("settings/tokens/<uuid:pk>/revoke/", settings.token_revoke, name="token-revoke"),
]
