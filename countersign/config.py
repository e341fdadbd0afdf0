"""Every setting that the environment may give, typed, in one place.

Read once by `countersign.settings`; the rest of the product sees it as `settings.COUNTERSIGN`.
A value that does not fit, or a `COUNTERSIGN_*` name that nobody knows, ends the start with a
sentence instead of being ignored.
"""

import os
import re
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from accounts.oidc.terms import Terms
from accounts.vocabulary import ROLES
from agents.definition_rules import LEAST_CONTEXT_TOKENS
from agents.secret_masks import SHORTEST
from agents.secret_masks import VARIABLE as SECRET_PREFIX
from audit.environment import SUFFIX as FILE_SUFFIX
from audit.environment import given
from countersign.setting_types import (
    ApiUrl,
    AuditSinks,
    CalendarName,
    CallbackSecrets,
    ClaimMapping,
    Commas,
    Endpoints,
    Folder,
    Issuer,
    Language,
    McpServers,
    Networks,
    Port,
    PostgresUrl,
    Rate,
    RedisUrl,
    Seconds,
    ToolSecrets,
    WebUrl,
    Witnesses,
    Workers,
)

PREFIX = "COUNTERSIGN_"
SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,62}")


class ConfigError(Exception):
    """The environment holds a setting that cannot be used; the text says which and why."""


def _plain(name: str) -> AliasChoices:
    """The setting is read from `name` as it stands, without the product's prefix."""
    return AliasChoices(name)


class Config(BaseSettings):
    """The settings of one process. An empty text means *not given*.

    Spans are in seconds. `database_url`, `redis_url`, `secret_key` and the two keys are filled in
    by `countersign.embedded` from the data directory where the environment does not give them.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    database_url: PostgresUrl = Field("", validation_alias=_plain("DATABASE_URL"), repr=False)
    database_owner_url: PostgresUrl = Field(
        "", validation_alias=_plain("DATABASE_OWNER_URL"), repr=False
    )
    database_sealer_url: PostgresUrl = Field(
        "", validation_alias=_plain("DATABASE_SEALER_URL"), repr=False
    )
    redis_url: RedisUrl = Field("", validation_alias=_plain("REDIS_URL"), repr=False)
    secret_key: str = Field("", validation_alias=_plain("SECRET_KEY"), repr=False)
    allowed_hosts: Commas = Field((), validation_alias=_plain("ALLOWED_HOSTS"))
    openai_base_url: ApiUrl = Field("", validation_alias=_plain("OPENAI_BASE_URL"))
    openai_api_key: str = Field("", validation_alias=_plain("OPENAI_API_KEY"), repr=False)
    openai_model: str = Field("", validation_alias=_plain("OPENAI_MODEL"))
    port: Port = Field(8000, validation_alias=_plain("PORT"))

    debug: bool = False
    data_dir: Folder = Path(".countersign")
    apps: Commas = ()
    demo: bool = False
    host: str = "127.0.0.1"
    base_url: str = ""
    secure: bool | None = None
    process: Literal["web", "command"] = "command"
    database_pool: Annotated[int, Field(ge=1, le=100)] = 20
    email_url: str = Field("", repr=False)
    email_from: str = "Countersign <countersign@localhost>"
    language: Language = "en-gb"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    trace_content: bool = False
    metrics_token: Annotated[str, Field(pattern=r"^(\S{16,})?$")] = Field("", repr=False)
    metrics_networks: Networks = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

    # Two: while one waits for a model, a tool or a commit, the other goes on.
    resume_workers: Workers = 2
    run_workers: Workers = 2
    background_workers: Workers = 1

    lease_seconds: Seconds = 30
    lease_renewal_seconds: Seconds = 10
    sweep_seconds: Seconds = 1
    other_release_seconds: Seconds = 60
    claim_seconds: Seconds = 90
    presence_seconds: Seconds = 30
    sealing_seconds: Seconds = 0.5
    sealing_batch: Annotated[int, Field(ge=1, le=100_000)] = 5000
    sealing_alarm_seconds: Seconds = 30
    audit_retention_days: Annotated[int, Field(ge=184, le=36_500)] = 3_650
    undo_seconds: Annotated[float, Field(ge=0, le=60)] = 10
    review_hours: Seconds = 24
    mail_gather_seconds: Annotated[float, Field(ge=0, le=3600)] = 30
    calendar: CalendarName = "working-week"
    second_factor_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    second_factor_lock_seconds: Seconds = 300
    session_seconds: Seconds = 12 * 3600
    sign_in_address_attempts: Annotated[int, Field(ge=10, le=100_000)] = 50
    sign_in_account_attempts: Annotated[int, Field(ge=10, le=100_000)] = 100
    oidc_issuer: Issuer = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = Field("", repr=False)
    oidc_name: Annotated[str, Field(max_length=40)] = ""
    oidc_scopes: Commas = ("openid", "profile", "email")
    oidc_domains: Commas = ()
    oidc_groups: Commas = ()
    oidc_groups_claim: str = "groups"
    oidc_roles: ClaimMapping = None
    oidc_review_groups: ClaimMapping = None
    oidc_link_by_email: bool = False
    oidc_second_factor: Commas = ()
    oidc_sign_out: bool = False
    passwords: bool = True
    break_glass: Commas = ()
    sign_of_life_seconds: Seconds = 15
    wake_drain_seconds: Annotated[float, Field(ge=0)] = 1

    endpoints: Endpoints = Field({}, repr=False)
    model_timeout_seconds: Seconds = 60
    model_log_probabilities: bool = False
    model_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    model_backoff_seconds: Annotated[float, Field(ge=0)] = 1.0
    model_reply_tokens: Annotated[int, Field(ge=1)] = 4096
    model_context_tokens: Annotated[int, Field(ge=LEAST_CONTEXT_TOKENS)] | None = None
    model_sleep_seconds: Seconds = 30
    model_sleeps: Annotated[int, Field(ge=0, le=100)] = 5

    verify_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    verify_backoff_seconds: Annotated[float, Field(ge=0)] = 0.25

    callback_secrets: CallbackSecrets = Field({}, repr=False)
    tool_secrets: ToolSecrets = Field({}, validation_alias=_plain(f"{SECRET_PREFIX}*"), repr=False)
    mcp_servers: McpServers = Field({}, repr=False)
    breaker_failures: Annotated[int, Field(ge=1, le=1000)] = 5
    breaker_seconds: Seconds = 60
    breaker_longest_seconds: Seconds = 3600

    coin_secret: str = Field("", repr=False)
    signing_key_path: str = ""
    signing_command: str = ""
    checkpoint_path: str = ""
    checkpoint_url: WebUrl = Field("", repr=False)
    checkpoint_url_seconds: Seconds = 10
    witnesses: Witnesses = {}
    witness_seconds: Seconds = 10
    tlog_public: bool = False
    log_origin: Annotated[str, Field(pattern=r"^([A-Za-z0-9_.:/@-]{1,120})?$")] = ""
    audit_rate: Rate = 0.0
    insights_seconds: Seconds = 60
    success_hours: Annotated[float, Field(ge=0, le=8_784)] = 72
    alert_failure_percent: Annotated[int, Field(ge=0, le=100)] = 30
    alert_cost_times: Annotated[float, Field(ge=0, le=1_000)] = 3
    alert_runs: Annotated[int, Field(ge=1)] = 20
    audit_sinks: AuditSinks = Field({}, repr=False)
    audit_sink_seconds: Seconds = 1
    audit_sink_batch: Annotated[int, Field(ge=1, le=10_000)] = 500
    audit_sink_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10
    audit_sink_longest_wait_seconds: Seconds = 300
    audit_sink_alarm_seconds: Annotated[float, Field(ge=0)] = 60
    export_lease_seconds: Seconds = 60
    export_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    export_seal_wait_seconds: Annotated[float, Field(ge=0)] = 30
    export_per_person: Annotated[int, Field(ge=1, le=100)] = 2
    export_keep_seconds: Seconds = 30 * 24 * 3600
    export_keep_bytes: Annotated[int, Field(ge=0)] = 20 * 1024**3
    hidden_score_rate: Rate = 0.0
    threshold: Rate = 0.80
    threshold_high: Rate = 0.90
    max_body_bytes: Annotated[int, Field(ge=1024)] = 262_144
    demo_provider_url: str = ""
    demo_steward_url: PostgresUrl = Field("", repr=False)
    demo_steward_seconds: Seconds = 3
    fault_points: Path | None = None
    demo_password: str = Field("", repr=False)

    @model_validator(mode="after")
    def _spans_fit(self) -> Self:
        if self.lease_renewal_seconds >= self.lease_seconds:
            raise ValueError(
                "COUNTERSIGN_LEASE_RENEWAL_SECONDS must be shorter than COUNTERSIGN_LEASE_SECONDS"
            )
        if not self.database_url and (self.database_owner_url or self.database_sealer_url):
            raise ValueError(
                "DATABASE_OWNER_URL and DATABASE_SEALER_URL need DATABASE_URL beside them"
            )
        if self.fault_points and (self.base_url or not (self.demo or self.debug)):
            raise ValueError(
                "COUNTERSIGN_FAULT_POINTS lets processes kill themselves: it is for tests, and taken only "
                "with COUNTERSIGN_DEMO or COUNTERSIGN_DEBUG and without COUNTERSIGN_BASE_URL"
            )
        return self

    @model_validator(mode="after")
    def _sign_in_fits(self) -> Self:
        needed = ["oidc_issuer", "oidc_client_id"]
        # People sign in at web processes: no other is given the secret.
        if self.process == "web" or self.oidc_client_secret:
            needed.append("oidc_client_secret")
        given = {name: bool(getattr(self, name)) for name in needed}
        if any(given.values()) and not all(given.values()):
            missing = ", ".join(PREFIX + name.upper() for name, there in given.items() if not there)
            raise ValueError(f"signing in at an identity provider needs {missing} as well")
        if not self.passwords and not self.oidc_issuer:
            raise ValueError(
                "COUNTERSIGN_PASSWORDS off needs COUNTERSIGN_OIDC_ISSUER: else nobody could sign in"
            )
        if "openid" not in self.oidc_scopes:
            raise ValueError("COUNTERSIGN_OIDC_SCOPES must name openid")
        known = set(ROLES)
        for claimed, roles in (self.oidc_roles or {}).items():
            if unknown := sorted(set(roles) - known):
                raise ValueError(
                    f"COUNTERSIGN_OIDC_ROLES gives {claimed!r} the role {unknown[0]!r}, which there is not; "
                    f"there are {', '.join(ROLES)}"
                )
        return self

    @property
    def oidc(self) -> Terms | None:
        """The identity provider at which people sign in; None where there is none."""
        if not self.oidc_issuer:
            return None
        return Terms(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
            name=self.oidc_name or urlsplit(self.oidc_issuer).hostname or "",
            scopes=self.oidc_scopes,
            domains=self.oidc_domains,
            groups=self.oidc_groups,
            groups_claim=self.oidc_groups_claim,
            roles=self.oidc_roles,
            review_groups=self.oidc_review_groups,
            link_by_email=self.oidc_link_by_email,
            second_factor=frozenset(self.oidc_second_factor),
            sign_out=self.oidc_sign_out,
        )

    @property
    def practice(self) -> bool:
        """Whether the demo's practice model is served and used instead of a real one."""
        return self.demo and not self.openai_base_url and not self.openai_api_key

    @property
    def address(self) -> str:
        """What links begin with, without a slash at the end."""
        return (self.base_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def https_only(self) -> bool:
        """Whether cookies and pages are refused over plain HTTP.

        Where it is not said: if the public address is https; without one, outside demo and debug.
        """
        if self.secure is not None:
            return self.secure
        if self.base_url:
            return self.base_url.startswith("https://")
        return not (self.demo or self.debug)

    @property
    def hosts(self) -> list[str]:
        """Host names that requests may carry: those given, the public one, this machine's."""
        public = urlsplit(self.address).hostname or ""
        return list(dict.fromkeys([*self.allowed_hosts, public, "localhost", "127.0.0.1", "[::1]"]))


def _tool_secrets(complaints: list[str]) -> dict[str, str]:
    """The secrets of tools by their names in lower case; complaints never hold a secret."""
    found: dict[str, str] = {}
    given_ones = [name for name, value in os.environ.items() if value]
    for variable in sorted({_without_suffix(n) for n in given_ones if n.startswith(SECRET_PREFIX)}):
        name = variable.removeprefix(SECRET_PREFIX)
        value = _given(variable, complaints)
        if name == "KEY":
            complaints.append(
                f"{variable} is not a setting of Countersign; did you mean SECRET_KEY?"
            )
        elif not SECRET_NAME.fullmatch(name):
            complaints.append(
                f"{variable} names a secret; use capital letters, digits and underlines"
            )
        elif value and len(value) < SHORTEST:
            complaints.append(
                f"{variable} is shorter than {SHORTEST} characters, and could not be told from other text"
            )
        elif value:
            found[name.lower()] = value
    return found


def _without_suffix(variable: str) -> str:
    """The variable that another one names a file for; itself where it is none of these."""
    bare = variable.removesuffix(FILE_SUFFIX)
    return bare if bare.startswith(SECRET_PREFIX) else variable


def _given(variable: str, complaints: list[str]) -> str:
    try:
        return given(variable)
    except ValueError as error:
        complaints.append(str(error))
        return ""


def variable_of(field: str) -> str:
    """The environment variable that a field of `Config` is read from."""
    alias = Config.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + field.upper()


def known_names() -> frozenset[str]:
    """Every environment variable that is a setting of the product."""
    return frozenset(variable_of(name) for name in Config.model_fields)


def secret_fields() -> tuple[str, ...]:
    """The fields that are never printed; each may be given by a file, `VARIABLE_FILE`, instead."""
    fields = Config.model_fields.items()
    return tuple(name for name, field in fields if not field.repr and name != "tool_secrets")


def _from_files(complaints: list[str]) -> dict[str, Any]:
    """The fields whose values lie in files."""
    filed = [
        (name, variable_of(name))
        for name in secret_fields()
        if os.environ.get(variable_of(name) + FILE_SUFFIX)
    ]
    read = {name: _given(variable, complaints) for name, variable in filed}
    return {name: value for name, value in read.items() if value}


def load() -> Config:
    """Read the settings from the environment.

    Raises ConfigError with one line for each setting that cannot be used.
    """
    known = known_names()
    filed = {variable_of(name) + FILE_SUFFIX for name in secret_fields()}
    complaints: list[str] = []
    for name in sorted(os.environ):
        if name.startswith(SECRET_PREFIX):
            continue
        if name.startswith(PREFIX) and name not in known | filed:
            near = get_close_matches(name, known | filed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            complaints.append(f"{name} is not a setting of Countersign{hint}")
    secrets = _tool_secrets(complaints)
    files = _from_files(complaints)
    try:
        config = Config(tool_secrets=secrets, **files)
    except ValidationError as error:
        for problem in error.errors():
            where = str(problem["loc"][0]) if problem["loc"] else ""
            name = variable_of(where) if where in Config.model_fields else where
            complaints.append(f"{name} {problem['msg'].removeprefix('Value error, ')}".strip())
    if complaints:
        raise ConfigError("\n".join(complaints))
    return config
