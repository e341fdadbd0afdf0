"""What each setting is, for people: docs/settings.md is made of this and of the types in `countersign.config`.

`manage.py settings_reference --check` (in `make check`) says which setting has no words here, and whether
the page is behind. Type, unit, range and default are not written down: they are read from the types.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

#: Who uses a setting. All processes read and check all of them when they start.
WEB: Final = "web"
WORKERS: Final = "workers"
BACKGROUND: Final = "background worker"
SCHEDULER: Final = "scheduler"
COMMANDS: Final = "commands"
DEMO: Final = "demo"
ALL: Final = "all"
RUNS: Final = "resumes and runs workers"


class Described(NamedTuple):
    """Who uses it; what it is; what holds where it is not given and the type alone does not say so."""

    used_by: str
    text: str
    otherwise: str = ""


SECTIONS: Final[Mapping[str, Mapping[str, Described]]] = {
    "Where everything is": {
        "database_url": Described(
            ALL,
            "the application's login: may insert and read events, nothing else on them. "
            "`postgresql://USER:PASSWORD@HOST:5432/NAME`",
            "the embedded server",
        ),
        "database_owner_url": Described(
            COMMANDS,
            "the login that owns the tables: of `manage.py migrate` and of nothing else",
            "the embedded server, or as `DATABASE_URL`",
        ),
        "database_sealer_url": Described(
            f"{SCHEDULER}, `migrate`, `audit_keys`, `audit_log`",
            "the login of the audit log's sealer. Elsewhere it may be given without its password: then only its "
            "name is compared with the application's",
            "the embedded server, or as `DATABASE_URL`",
        ),
        "redis_url": Described(
            ALL, "queue, hints and signs of life; holds no truth", "the embedded server"
        ),
        "database_pool": Described(WEB, "connections of a web process, at most"),
        "data_dir": Described(ALL, "embedded servers, keys, mail files, exports"),
        "apps": Described(ALL, "further Django apps with agents"),
        "secret_key": Described(
            ALL,
            "Django's key, and the root of the disclosure keys and of the key that second factors are kept under: the "
            "same on every machine",
            "made once in the data directory",
        ),
    },
    "The web process": {
        "base_url": Described(
            ALL, "public address, for links in mail; its scheme says whether https is demanded"
        ),
        "allowed_hosts": Described(
            WEB,
            "further host names that requests may carry, beside the public one and this machine's",
        ),
        "host": Described(WEB, "address that the web process listens on"),
        "port": Described(WEB, "port of the web process"),
        "secure": Described(
            WEB,
            "secure cookies, redirect to https, HSTS",
            "on if the public address is https; without one, outside demo and debug",
        ),
        "max_body_bytes": Described(WEB, "largest request body"),
        "process": Described(
            WEB,
            "what kind of process this is; `web` gets a pool of connections. Set by the product itself",
        ),
        "debug": Described(ALL, "Django's debug mode; never in production"),
        "log_level": Described(ALL, "what is logged"),
        "language": Described(
            ALL,
            "language of mails to review groups, and to people who have not chosen one in Settings",
        ),
        "email_url": Described(
            f"{WEB}, {BACKGROUND}, {SCHEDULER}",
            "how mail is sent: `smtp://USER:PASSWORD@HOST:587?tls=1` or `smtps://…:465`",
            "files in the data directory",
        ),
        "email_from": Described(f"{WEB}, {BACKGROUND}, {SCHEDULER}", "whom mail is from"),
    },
    "Workers and scheduler": {
        "resume_workers": Described(
            DEMO, "processes for the queue `resumes`; elsewhere `--num-workers` says it"
        ),
        "run_workers": Described(DEMO, "processes for the queue `runs`"),
        "background_workers": Described(DEMO, "processes for the queue `background`"),
        "lease_seconds": Described(WORKERS, "how long a silent worker keeps a run"),
        "lease_renewal_seconds": Described(WORKERS, "how often a living worker says so"),
        "sweep_seconds": Described(SCHEDULER, "how often the scheduler looks"),
        "other_release_seconds": Described(
            RUNS,
            "how long workers of another release leave a run to those that have its version, before a person is asked",
        ),
        "sign_of_life_seconds": Described(
            ALL, "how old a worker's or scheduler's sign of life may be"
        ),
        "wake_drain_seconds": Described(
            RUNS, "how long a worker goes on with other ready runs after one job"
        ),
    },
    "People and requests": {
        "claim_seconds": Described(WEB, "how long a reviewer's claim lasts without renewal"),
        "presence_seconds": Described(
            WEB,
            "for how long it is said that somebody has a request open, without renewal",
        ),
        "undo_seconds": Described(
            f"{WEB}, {RUNS}", "undo time of consequential actions in the shipped policy"
        ),
        "review_hours": Described(f"{WEB}, {RUNS}", "review deadline of the shipped policy"),
        "mail_gather_seconds": Described(
            f"{RUNS}, {SCHEDULER}",
            "how long new requests are gathered before people are mailed about all of them at once",
        ),
        "calendar": Described(
            f"{WEB}, {RUNS}",
            "working calendar by which the shipped policy counts that deadline, and by which questions and limits, "
            "which pass no policy, count theirs",
        ),
        "threshold": Described(
            f"{WEB}, {RUNS}", "threshold of the shipped policy for low and medium risk"
        ),
        "threshold_high": Described(
            f"{WEB}, {RUNS}", "threshold of the shipped policy above medium risk"
        ),
        "audit_rate": Described(
            RUNS, "share of allowed consequential actions that a person looks at all the same"
        ),
        "hidden_score_rate": Described(
            RUNS, "share of ordinary requests whose score is hidden until decided"
        ),
        "coin_secret": Described(
            f"{RUNS}, `evaluate`",
            "secret of the coin that draws them: the same on every machine",
            "made once in the data directory",
        ),
    },
    "Signing in": {
        "session_seconds": Described(
            WEB, "after which people sign in again, however busy they were"
        ),
        "sign_in_address_attempts": Described(
            WEB,
            "wrong passwords within a quarter of an hour from one address, on whatever accounts, after which it may "
            "not sign in for as long",
        ),
        "sign_in_account_attempts": Described(
            WEB,
            "the same of one account, from wherever; of one account from one address it is ten",
        ),
        "second_factor_attempts": Described(
            WEB, "after how many wrong codes in a row no code is taken"
        ),
        "second_factor_lock_seconds": Described(
            WEB, "for how long at first (doubled each time, an hour at most)"
        ),
        "passwords": Described(
            WEB, "whether people sign in with passwords ([sign-in.md](sign-in.md))"
        ),
        "break_glass": Described(
            WEB,
            "emergency accounts that sign in with passwords all the same "
            "([sign-in.md](sign-in.md#the-emergency-account))",
        ),
        "oidc_issuer": Described(
            WEB,
            "the identity provider at which people sign in ([sign-in.md](sign-in.md), for all that follows)",
        ),
        "oidc_client_id": Described(WEB, "what the product is called there"),
        "oidc_client_secret": Described(WEB, "and what it proves that with"),
        "oidc_name": Described(WEB, "what its button says", "the host of the issuer"),
        "oidc_scopes": Described(WEB, "what is asked for"),
        "oidc_domains": Described(WEB, "mail domains whose people may come in"),
        "oidc_groups": Described(WEB, "groups of the provider whose people may come in"),
        "oidc_groups_claim": Described(WEB, "the claim that names groups"),
        "oidc_roles": Described(WEB, "JSON: group of the provider → roles here"),
        "oidc_review_groups": Described(WEB, "JSON: group of the provider → review groups here"),
        "oidc_link_by_email": Described(
            WEB, "whether an account here is taken over by a verified mail address there"
        ),
        "oidc_second_factor": Described(
            WEB, "what the provider says of sign-ins (`amr`, `acr`) that had a second factor"
        ),
        "oidc_sign_out": Described(WEB, "whether signing out here signs out there"),
    },
    "Models": {
        "openai_base_url": Described(
            f"{RUNS}, `check_model`, `evaluate`",
            "where the model is",
            "OpenAI; in the demo without a key the practice model",
        ),
        "openai_api_key": Described(f"{RUNS}, `check_model`, `evaluate`", "its key"),
        "openai_model": Described(
            f"{WEB}, {RUNS}, `check_model`, `evaluate`",
            "which model is asked where an agent names none",
        ),
        "endpoints": Described(
            f"{RUNS}, `check_model`, `evaluate`",
            "JSON: further model servers by name, each with `base_url` and, where needed, `key_env` (the variable that "
            "holds its key, or with `_FILE` at its end names the file that does), `timeout_seconds`, "
            "`log_probabilities`, `strict_tools`, `context_tokens` ([models.md](models.md))",
        ),
        "model_timeout_seconds": Described(RUNS, "of one attempt at the model"),
        "model_log_probabilities": Described(
            RUNS,
            "ask the model server for the log-probabilities of its tokens ([confidence.md](confidence.md))",
        ),
        "model_attempts": Described(RUNS, "attempts in a row"),
        "model_backoff_seconds": Described(RUNS, "base of their jittered delay"),
        "model_reply_tokens": Described(
            RUNS,
            "how many tokens a reply is expected to have at most, when its cost is estimated and weighed against limits "
            "before it is made ([limits.md](limits.md))",
        ),
        "model_context_tokens": Described(
            RUNS,
            "what models of the default endpoint take in one request (messages, tools and reply); requests are made to "
            "fit it where that is less than the agent's `context_tokens`",
        ),
        "model_sleeps": Described(RUNS, "how often a run sleeps on a failing model"),
        "model_sleep_seconds": Described(RUNS, "for how long at first (doubled each time)"),
    },
    "Tools": {
        "tool_secrets": Described(
            f"{WEB}, {RUNS}, `sync_mcp`",
            'each variable gives the tools that declare `secrets={"name"}` a secret of at least 8 characters, and '
            "nobody else ([security.md](security.md#secrets-of-tools))",
        ),
        "mcp_servers": Described(
            f"{RUNS}, `sync_mcp`",
            "JSON: MCP servers by name, each a `url` with `headers`, or a `command` with `args` and `env`; values of "
            "headers and variables name the secret that goes into them in braces ([mcp.md](mcp.md))",
        ),
        "callback_secrets": Described(
            WEB,
            "JSON: provider → secret (`whsec_…`, base64 of 24 to 64 bytes) or a list of them while one replaces another",
            "none; one for the demo's mail",
        ),
        "verify_attempts": Described(
            WORKERS, "how often an effect is looked for when it is read back"
        ),
        "verify_backoff_seconds": Described(WORKERS, "base of the growing delay between them"),
        "breaker_failures": Described(
            RUNS, "after how many failures in a row a tool is left alone"
        ),
        "breaker_seconds": Described(RUNS, "for how long at first (doubled each time)"),
        "breaker_longest_seconds": Described(RUNS, "and at most"),
    },
    "The audit log": {
        "signing_key_path": Described(
            f"{SCHEDULER}, {BACKGROUND}, `audit_keys`, `audit_log`",
            "the log's Ed25519 key, a PEM file that only its owner may read",
            "made once in the data directory",
        ),
        "signing_command": Described(
            f"{SCHEDULER}, {BACKGROUND}, `audit_keys`, `audit_log`",
            "a command that signs in the place of a key file ([operations.md](operations.md#the-audit-log))",
        ),
        "checkpoint_path": Described(
            f"{SCHEDULER}, {BACKGROUND}, `audit_fsck`, `audit_log`",
            "the file in which the log's last checkpoint is kept, outside the database",
            "`audit/checkpoint` in the data directory",
        ),
        "checkpoint_url": Described(
            SCHEDULER, "an address that the newest checkpoint is posted to as text"
        ),
        "checkpoint_url_seconds": Described(SCHEDULER, "how often"),
        "log_origin": Described(
            SCHEDULER,
            "the log's name in its checkpoints, for good once it has begun",
            "the public address and a random part",
        ),
        "sealing_seconds": Described(SCHEDULER, "how often the audit log is sealed"),
        "sealing_batch": Described(SCHEDULER, "how many events in one transaction"),
        "sealing_alarm_seconds": Described(
            f"{WEB}, {SCHEDULER}",
            "how long an event may wait for sealing before the readiness page says so",
        ),
        "audit_retention_days": Described(
            COMMANDS,
            "how long the bodies of events, and what they point to, are kept at least. `manage.py audit_retention "
            "--drop` drops older months ([audit.md](audit.md#keeping-and-erasing))",
        ),
        "audit_sinks": Described(
            f"{WEB}, {SCHEDULER}",
            "JSON: where sealed events are sent to, by name ([streaming.md](streaming.md#sinks))",
        ),
        "audit_sink_seconds": Described(SCHEDULER, "how often is looked for events to send"),
        "audit_sink_batch": Described(SCHEDULER, "how many go out in one batch at most"),
        "audit_sink_timeout_seconds": Described(SCHEDULER, "how long a sink may take over a batch"),
        "audit_sink_longest_wait_seconds": Described(
            SCHEDULER, "how long a sink that fails is left alone at most"
        ),
        "audit_sink_alarm_seconds": Described(
            f"{WEB}, {SCHEDULER}",
            "how long a sink may fail before the readiness page, a mail and an event say so",
        ),
        "witnesses": Described(
            f"{WEB}, {SCHEDULER}",
            "JSON: witnesses that cosign the log's checkpoints, each a `url` and a `key` "
            "([streaming.md](streaming.md#witnesses))",
        ),
        "witness_seconds": Described(SCHEDULER, "how often they are asked"),
        "tlog_public": Described(
            WEB,
            "whether everybody may read checkpoint and tiles of the log "
            "([streaming.md](streaming.md#the-log-as-tiles))",
        ),
    },
    "Exports": {
        "export_seal_wait_seconds": Described(
            BACKGROUND,
            "how long an evidence export waits for the sealer to cover what was there when it was asked for; what is "
            "not sealed then is counted and left out",
        ),
        "export_lease_seconds": Described(
            f"{BACKGROUND}, {SCHEDULER}",
            "after how long without a sign of life a worker's export is taken up by another",
        ),
        "export_attempts": Described(f"{BACKGROUND}, {SCHEDULER}", "and how often at most"),
        "export_per_person": Described(WEB, "how many exports one person may have underway"),
        "export_keep_seconds": Described(SCHEDULER, "how long files of exports are kept"),
        "export_keep_bytes": Described(
            SCHEDULER,
            "and how much of them; the oldest go first, the record of them stays",
        ),
    },
    "Figures, traces and insights": {
        "metrics_token": Described(
            WEB, "bearer token, of 16 characters or more, that opens `/metrics` from anywhere"
        ),
        "metrics_networks": Described(
            WEB, "networks that read `/metrics` without it; `none`: nobody"
        ),
        "trace_content": Described(
            ALL,
            "spans also hold prompts, replies, arguments and results, without secrets, sensitive arguments and scores "
            "([observability.md](observability.md#content))",
        ),
        "insights_seconds": Described(
            SCHEDULER, "how often what ended is counted for [insights](insights.md)"
        ),
        "success_hours": Described(
            BACKGROUND,
            "for how long after its end what a run did may be corrected, undone or bounce and make it no success",
        ),
        "alert_failure_percent": Described(
            BACKGROUND,
            "of how many runs of a day without success owners of agents are alerted; 0: never",
        ),
        "alert_cost_times": Described(
            BACKGROUND,
            "cost of a run as a multiple of the two weeks before, at which they are; 0: never",
        ),
        "alert_runs": Described(BACKGROUND, "of how many runs at least"),
    },
    "Demo and tests": {
        "demo": Described(ALL, "the demo's shop and agents; `make demo` sets it"),
        "demo_password": Described(DEMO, "of the demo's accounts", "made once"),
        "demo_provider_url": Described(DEMO, "the demo's payment provider", "a free port"),
        "demo_steward_url": Described(
            DEMO,
            "the database login of data-steward ([data-steward.md](data-steward.md))",
            "embedded; none beside a `DATABASE_URL` of yours",
        ),
        "demo_steward_seconds": Described(DEMO, "how long one statement of data-steward may take"),
        "fault_points": Described(
            ALL,
            "for tests only: a folder in which a file named after a point in the code makes the process that "
            "reaches it kill itself ([failures.md](failures.md)); refused outside demo and debug or with a public address, and "
            "said in every log and on the readiness page",
        ),
    },
}
