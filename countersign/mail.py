"""The mail server from one address."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from countersign.config import Config, ConfigError


@dataclass(frozen=True)
class Mail:
    """Where mail goes: an SMTP server, or files in a folder where none is given."""

    backend: str
    folder: Path | None = None
    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = ""
    tls: bool = False
    ssl: bool = False


def mail(config: Config) -> Mail:
    """Read `smtp://USER:PASSWORD@HOST:587?tls=1` or `smtps://…:465`; without it, mail is files.

    Raises ConfigError for any other address.
    """
    if not config.email_url:
        return Mail(
            "django.core.mail.backends.filebased.EmailBackend", folder=config.data_dir / "mail"
        )
    parts = urlsplit(config.email_url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ConfigError(
            "COUNTERSIGN_EMAIL_URL is not a mail server's address; "
            "write smtp://USER:PASSWORD@HOST:587?tls=1"
        )
    ssl = parts.scheme == "smtps"
    return Mail(
        "django.core.mail.backends.smtp.EmailBackend",
        host=parts.hostname,
        port=parts.port or (465 if ssl else 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=parse_qs(parts.query).get("tls") == ["1"],
        ssl=ssl,
    )
