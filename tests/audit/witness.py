"""A witness as C2SP tlog-witness describes it, written down from the specification alone."""

import base64
import hashlib
import http.server
import re
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.verifier.verify import consistent
from tests.audit.receivers import PATIENCE_SECONDS


@dataclass
class TestWitness:
    """Its key, the logs that it knows (origin → public keys), and what it has cosigned of them last."""

    __test__ = False
    name: str = "witness.example/w1"
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    logs: dict[str, list[bytes]] = field(default_factory=dict)
    seen: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answers: list[tuple[int, str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.public).digest()[:4]

    @property
    def key(self) -> str:
        encoded = base64.b64encode(b"\x04" + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @property
    def setting(self) -> dict[str, str]:
        return {"url": f"http://127.0.0.1:{self.port}/w", "key": self.key}

    def add_checkpoint(self, request: str) -> tuple[int, str, str]:
        """Status, media type and body of the answer."""
        plain = "text/plain; charset=utf-8"
        head, _, note = request.partition("\n\n")
        first, *proof = head.split("\n")
        old = re.fullmatch(r"old (0|[1-9][0-9]*)", first)
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        origin, size_text, root_text, rest = text.split("\n", 3)
        if old is None or rest or len(proof) > 63:
            return 400, plain, "malformed\n"
        if origin not in self.logs:
            return 404, plain, "unknown\n"
        if not any(self._signed(origin, text, line) for line in signatures.splitlines()):
            return 403, plain, "not signed\n"
        size, root = int(size_text), base64.b64decode(root_text)
        before, before_root = self.seen.get(origin, (0, hashlib.sha256(b"").digest()))
        if int(old[1]) > size:
            return 400, plain, "smaller\n"
        if int(old[1]) != before:
            return 409, "text/x.tlog.size", f"{before}\n"
        if before == size and before_root != root:
            return 409, plain, "another root\n"
        hashes = [base64.b64decode(line, validate=True) for line in proof]
        if not consistent(before, before_root, size, root, hashes):
            return 422, plain, "not consistent\n"
        self.seen[origin] = size, root
        return 200, plain, self.cosigned(text)

    def cosigned(self, text: str, seconds: int | None = None) -> str:
        moment = int(time.time()) if seconds is None else seconds
        signature = self.private.sign(f"cosignature/v1\ntime {moment}\n{text}".encode())
        data = self.key_id + struct.pack(">Q", moment) + signature
        return f"— {self.name} {base64.b64encode(data).decode()}\n"

    def _signed(self, origin: str, text: str, line: str) -> bool:
        dash, name, encoded = line.split(" ")
        data = base64.b64decode(encoded)
        for public in self.logs[origin]:
            named = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
            if (dash, name, data[:4]) == ("—", origin, named):
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(data[4:], text.encode())
                except InvalidSignature:
                    return False
                return True
        return False


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    witness: TestWitness


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        witness = self.server.witness
        request = self.rfile.read(int(self.headers["content-length"])).decode()
        witness.asked.append(request)
        if self.path != "/w/add-checkpoint":
            answer = (405, "text/plain", "")
        elif witness.answers:
            answer = witness.answers.pop(0)
        else:
            answer = witness.add_checkpoint(request)
        status, kind, body = answer
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(witness: TestWitness) -> Iterator[TestWitness]:
    """The witness on a port of its own."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.witness = witness
        witness.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield witness
        finally:
            server.shutdown()
            thread.join(PATIENCE_SECONDS)
