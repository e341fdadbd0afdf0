"""Second factors of the standing characters, and the codes that their apps would show."""

import base64
import hashlib
import hmac
import struct
import time

from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.factor_secrets import encrypt
from accounts.models import User

SECRET = base64.b32encode(b"a secret of the test").decode()
PERIOD = 30
LOGIN = "/accounts/login/"
SECOND_STEP = "/accounts/login/second-factor/"
CONFIRM = "/settings/second-factor/confirm/"


def code(secret: str = SECRET, steps: int = 0) -> str:
    """What an app shows now, or so many half minutes later: RFC 6238 by hand, apart from the product's."""
    key = base64.b32decode(secret.replace(" ", ""))
    counter = struct.pack(">Q", int(time.time()) // PERIOD + steps)
    digest = hmac.new(key, counter, hashlib.sha1).digest()
    at = digest[-1] & 15
    number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def give_app(user: User, secret: str = SECRET) -> Authenticator:
    """The person has an authenticator app, whose codes were never used."""
    return Authenticator.objects.create(
        user=user, type=Authenticator.Type.TOTP, data={"secret": encrypt(secret)}
    )


def confirm(client: Client, secret: str = SECRET, steps: int = 0) -> None:
    """The person who is signed in at this client confirms with the app."""
    answer = client.post(CONFIRM, {"code": code(secret, steps), "next": "/inbox/"})
    assert (answer.status_code, answer["Location"]) == (302, "/inbox/"), answer.content
