"""Fill in what the environment leaves open from the data directory: addresses and secrets."""

import hmac
import secrets
from base64 import b64encode
from hashlib import sha256

from countersign.config import Config
from countersign.embedded import Layout, ensure_secrets, ensure_services, read_secrets
from countersign.embedded.secrets import signing_key_path


def prepare(config: Config) -> None:
    """Make sure that what `filled_in` points at exists and answers.

    Makes the secrets of the data directory and starts the embedded services whose addresses the
    environment does not give; this process then counts as one of their users until it ends.
    Raises EmbeddedError with a sentence for a person.
    """
    layout = Layout(config.data_dir)
    ensure_secrets(layout)
    given = {"postgres": config.database_url, "redis": config.redis_url}
    missing = [service for service, url in given.items() if not url]
    if missing:
        ensure_services(layout, missing)


def filled_in(config: Config) -> Config:
    """Return the settings with no address and no secret left open; starts and writes nothing.

    Without `prepare` before it (a type checker reading the settings) the addresses lead nowhere
    and the secrets are random ones that die with the process.
    """
    layout = Layout(config.data_dir)
    kept = read_secrets(layout)
    # Said here, since it follows from what was given, and less is left open below.
    changes: dict[str, object] = {"secure": config.https_only, "base_url": config.address}
    if not config.redis_url:
        changes["redis_url"] = layout.redis_url
    if not config.database_url:
        changes["database_url"] = layout.database_url("app", kept.app if kept else "")
        changes["database_owner_url"] = layout.database_url("owner", kept.owner if kept else "")
        changes["database_sealer_url"] = layout.database_url("sealer", kept.sealer if kept else "")
        if not config.demo_steward_url:
            steward = layout.database_url("steward", kept.steward if kept else "")
            changes["demo_steward_url"] = steward
    if not config.secret_key:
        changes["secret_key"] = kept.secret_key if kept else secrets.token_urlsafe(64)
    if not config.coin_secret:
        changes["coin_secret"] = kept.coin_secret if kept else secrets.token_urlsafe(48)
    if config.demo and not config.callback_secrets:
        root = str(changes.get("secret_key", config.secret_key))
        changes["callback_secrets"] = {"demo-mail": (_secret_from(root),)}
    if not config.signing_key_path:
        changes["signing_key_path"] = str(signing_key_path(layout))
    if not config.checkpoint_path:
        changes["checkpoint_path"] = str(layout.checkpoint)
    return config.model_copy(update=changes)


def _secret_from(root: str) -> str:
    """The secret that the demo's mail provider signs with: made of the product's own, once and for all."""
    key = hmac.new(root.encode(), b"callbacks of demo-mail", sha256).digest()
    return f"whsec_{b64encode(key).decode()}"
