"""Which certificates a receiver may show, and which one is shown to it (RFC 5425 for syslog)."""

import ssl
from pathlib import Path

from audit.streaming.failing import NotDelivered


def context(
    ca_file: Path | None, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """A context that checks host name and chain, against `ca_file` alone where there is one.

    Raises `NotDelivered` where a file cannot be used.
    """
    try:
        made = ssl.create_default_context(cafile=ca_file)
        if cert_file is not None:
            made.load_cert_chain(cert_file, key_file)
    except OSError as error:
        # Among them ssl.SSLError: a file that holds no certificate.
        raise NotDelivered(
            "certificate",
            f"A certificate or key of the settings cannot be used ({type(error).__name__}).",
        ) from error
    return made
