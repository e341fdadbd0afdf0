"""How secrets of second factors are kept: encrypted, with a key made of the product's own secret."""

from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from accounts.errors import FactorUnreadable

PURPOSE: Final = b"countersign second factors v1"


def encrypt(text: str) -> str:
    """Fernet: AES-128-CBC with HMAC-SHA-256."""
    return _box(settings.SECRET_KEY).encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """What `encrypt` was given. Raises FactorUnreadable where that was under another key."""
    try:
        return _box(settings.SECRET_KEY).decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        raise FactorUnreadable from error


@lru_cache(maxsize=4)
def _box(secret: str) -> Fernet:
    """HKDF (RFC 5869) keeps this key apart from all else that is made of the same secret."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
    return Fernet(urlsafe_b64encode(derived))
