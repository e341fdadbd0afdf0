"""Django's settings, composed from the typed configuration. Importing them starts nothing."""

from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF

from countersign.addresses import filled_in
from countersign.config import load
from countersign.databases import databases
from countersign.logs import logging_settings
from countersign.mail import mail
from countersign.redis import with_timeouts

# Lets typed code write ModelAdmin[Run] and the like, which Django itself does not take.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
COUNTERSIGN = filled_in(load())

DEBUG = COUNTERSIGN.debug
SECRET_KEY = COUNTERSIGN.secret_key
ALLOWED_HOSTS = COUNTERSIGN.hosts
# Browsers take a cookie of such a name from this very host alone, and over https.
COOKIE_PREFIX = "__Host-" if COUNTERSIGN.https_only else ""
CSRF_TRUSTED_ORIGINS = [COUNTERSIGN.address]
ROOT_URLCONF = "countersign.urls"
ASGI_APPLICATION = "countersign.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "channels",
    "csp",
    "django_htmx",
    "audit",
    "accounts",
    "approvals",
    "agents",
    "insights",
    "evaluations",
    *(["demo"] if COUNTERSIGN.demo else []),
    *COUNTERSIGN.apps,
    "countersign",
    # After ours: of two commands with one name, the app that is named first has its way.
    "django_rq",
]

MIDDLEWARE = [
    "countersign.requests.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    # Outside of what puts a problem document in an answer's place.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "countersign.health.probes",
    "countersign.plain_http.refuse_programs",
    "countersign.not_kept.NotKept",
    "countersign.problems.ProblemMiddleware",
    "countersign.addresses_without_nul.no_nul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "countersign.plain_lines.plain_lines",
    "accounts.middleware.PersonMiddleware",
    "accounts.middleware.CallerMiddleware",
    "accounts.languages.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.i18n", "approvals.templatetags.interface"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "countersign.context_processors.shell",
            ],
        },
    }
]

FORM_RENDERER = "countersign.form_rendering.FormRenderer"

# -- data -----------------------------------------------------------------------------------------

DATABASES = databases(COUNTERSIGN)
REDIS_URL = with_timeouts(COUNTERSIGN.redis_url)
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "SERIALIZER": "rq.serializers.JSONSerializer", "DEFAULT_TIMEOUT": -1}
    for name in ("resumes", "runs", "background")
}
RQ = {"WORKER_CLASS": "agents.worker.AdvancingWorker", "COMMIT_MODE": "auto"}
RQ_SHOW_ADMIN_LINK = False
# Hints reach sockets from one Redis subscription for each web process; a channel layer would add a
# subscription and an unbounded queue for each socket.
CHANNEL_LAYERS: dict[str, dict[str, object]] = {}
# Only what django-allauth counts by is cached: attempts, and so for all web processes together. Not in
# Redis, which holds no truth: signing in and changing a password go on while it is away.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "accounts_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = COUNTERSIGN.max_body_bytes
FILE_UPLOAD_MAX_MEMORY_SIZE = COUNTERSIGN.max_body_bytes

# -- language and time ----------------------------------------------------------------------------

# Each language in its own words. Adding one: docs/languages.md.
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

# -- static files: served as they lie there, nothing is built or collected --------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": COUNTERSIGN.data_dir / "files"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# -- sign-in --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backend.PasswordDoor",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.password_words.NoWordsOfOurs"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.password_forms.SignInForm",
    "change_password": "accounts.password_forms.ChangeForm",
    "set_password": "accounts.password_forms.FirstForm",
    "reset_password_from_key": "accounts.password_forms.NewForm",
    "reset_password": "accounts.password_forms.ResetForm",
    "user_token": "accounts.password_forms.LinkForm",
}
# Axes counts failed attempts, in the database and so for all web processes together.
ACCOUNT_RATE_LIMITS = {"login": False, "login_failed": False}
MFA_ADAPTER = "accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Countersign"
AXES_USERNAME_CALLABLE = "accounts.lockout.attempted_account"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "login"]
AXES_HANDLER = "accounts.lockout.Lockout"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.locked_out"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# Sign-ins are events of the audit log, where their personal part can be erased.
AXES_DISABLE_ACCESS_LOG = True
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
# The order is that of accounts.lockout.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address", "username"]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# -- what browsers may do -------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        # Messages as they would arrive: approvals/views/message.py.
        "frame-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
SESSION_COOKIE_AGE = max(1, int(COUNTERSIGN.session_seconds))
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = COUNTERSIGN.https_only
CSRF_COOKIE_SECURE = COUNTERSIGN.https_only
SECURE_SSL_REDIRECT = COUNTERSIGN.https_only
# Probes come from the machine itself and over plain HTTP. Programs are told, by countersign.plain_http: one that is
# redirected sends its token in the clear each time, and nobody notices.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$", r"^api/"]
SECURE_HSTS_SECONDS = 31_536_000 if COUNTERSIGN.https_only else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = COUNTERSIGN.https_only
SECURE_HSTS_PRELOAD = COUNTERSIGN.https_only

# -- mail and logs --------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = COUNTERSIGN.email_from
SERVER_EMAIL = COUNTERSIGN.email_from
MAIL = mail(COUNTERSIGN)
EMAIL_BACKEND = MAIL.backend
EMAIL_FILE_PATH = MAIL.folder
EMAIL_HOST = MAIL.host
EMAIL_PORT = MAIL.port
EMAIL_HOST_USER = MAIL.user
EMAIL_HOST_PASSWORD = MAIL.password
EMAIL_USE_TLS = MAIL.tls
EMAIL_USE_SSL = MAIL.ssl
EMAIL_TIMEOUT = 10
LOGGING = logging_settings(COUNTERSIGN.log_level)
