"""Secrets that a data directory makes for itself, once."""

import hmac
import json
import os
import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from countersign.embedded.errors import EmbeddedError
from countersign.embedded.layout import Layout

SECRETS_FILE = "secrets.json"
SIGNING_KEY_FILE = "signing_key.pem"


@dataclass(frozen=True, repr=False)
class Secrets:
    """Random texts of 256 bits and more: Django's key, the coin's, and a password per login."""

    secret_key: str
    coin_secret: str
    app: str
    sealer: str
    owner: str

    @property
    def steward(self) -> str:
        """Password of the demo's steward. Made of another one, so that older directories have it too."""
        mark = hmac.new(self.owner.encode(), b"password of the steward", sha256).digest()
        return urlsafe_b64encode(mark).decode().rstrip("=")


def signing_key_path(layout: Layout) -> Path:
    """Where the Ed25519 key of the audit log lies (PKCS 8, PEM, not encrypted, mode 0600)."""
    return layout.keys / SIGNING_KEY_FILE


def read_secrets(layout: Layout) -> Secrets | None:
    """Return the directory's secrets, or None where none were made yet.

    Raises EmbeddedError when the file is there and cannot be read.
    """
    path = layout.keys / SECRETS_FILE
    try:
        return Secrets(**json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise EmbeddedError(
            f"{path} cannot be read ({error}). Restore it from a backup; without it the data "
            "directory's database cannot be opened."
        ) from error


def ensure_secrets(layout: Layout) -> Secrets:
    """Make the directory's secrets and its signing key unless they are there; return the secrets.

    Safe when several processes do it at once: the first one's are everybody's.
    """
    layout.prepare()
    fresh = Secrets(
        secret_key=secrets.token_urlsafe(64),
        coin_secret=secrets.token_urlsafe(48),
        app=secrets.token_urlsafe(32),
        sealer=secrets.token_urlsafe(32),
        owner=secrets.token_urlsafe(32),
    )
    _place(layout.keys / SECRETS_FILE, json.dumps(asdict(fresh), indent=1).encode())
    _place(
        signing_key_path(layout),
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    )
    kept = read_secrets(layout)
    if kept is None:
        raise EmbeddedError(f"{layout.keys / SECRETS_FILE} vanished while it was being made.")
    return kept


def _place(path: Path, content: bytes) -> None:
    """Write a file in one piece, readable by its owner only, unless it exists already."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the name is taken; a rename would replace another process's secrets.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
