"""Receivers of the streamed log: real servers that do as they are told and keep what they got."""

import datetime as dt
import http.server
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PATIENCE_SECONDS: Final = 60


@dataclass(frozen=True)
class Got:
    """One message as it came."""

    headers: Mapping[str, str]
    content: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.content)["data"]
        return found


@dataclass
class WebReceiver:
    """What a web receiver answers and got. `answers` are used up one by one; then it takes everything.

    An answer is a status, or `hang`: it reads the message and says nothing until `let_go`.
    """

    port: int = 0
    answers: list[int | str] = field(default_factory=list)
    further: dict[str, str] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/audit"

    def taken(self) -> list[dict[str, Any]]:
        """The events of all messages, each message once by its id, as a receiver keeps them."""
        by_id = {each.id: each.data["events"] for each in self.got}
        return [event for events in by_id.values() for event in events]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    receiver: WebReceiver


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        content = self.rfile.read(int(self.headers["content-length"]))
        receiver.got.append(
            Got({name.lower(): value for name, value in self.headers.items()}, content)
        )
        answer = receiver.answers.pop(0) if receiver.answers else 204
        if isinstance(answer, str):
            receiver.hanging.set()
            receiver.let_go.wait(PATIENCE_SECONDS)
            answer = 204
        self.send_response(answer)
        for name, value in receiver.further.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Answer well to whoever follows a redirect: nothing was given to anybody."""
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    """A web receiver on a port of its own."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.receiver = WebReceiver(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.receiver
        finally:
            server.receiver.let_go.set()
            server.shutdown()
            thread.join(PATIENCE_SECONDS)


@dataclass
class Collector:
    """A syslog collector: what came over each connection. `cuts` are numbers of bytes after which it dies."""

    port: int = 0
    cuts: list[int] = field(default_factory=list)
    connections: list[bytes] = field(default_factory=list)
    RESET: ClassVar[bytes] = b"\x01\x00\x00\x00\x00\x00\x00\x00"

    def messages(self) -> list[bytes]:
        """What came, taken apart by the octet counts (RFC 6587, 3.4.1); raises ValueError."""
        found = []
        for data in self.connections:
            rest = data
            while rest:
                count, _, rest = rest.partition(b" ")
                length = int(count)
                if len(rest) < length:
                    raise ValueError("a message is cut")
                found.append(rest[:length])
                rest = rest[length:]
        return found

    def take(self, connection: socket.socket) -> None:
        cut = self.cuts.pop(0) if self.cuts else None
        data = b""
        while cut is None or len(data) < cut:
            more = connection.recv(65_536 if cut is None else 16)
            if not more:
                break
            data += more
        if cut is not None:
            # Dies with something unread: its system resets the connection.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, self.RESET)
        else:
            self.connections.append(data)


@contextmanager
def collector(context: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """A collector on a port of its own, behind TLS where a context is given."""
    made = Collector()
    with socket.create_server(("127.0.0.1", 0)) as server:
        made.port = server.getsockname()[1]
        thread = threading.Thread(target=_collect, args=(server, made, context))
        thread.start()
        try:
            yield made
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_SECONDS)


def _collect(server: socket.socket, made: Collector, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            plain, _ = server.accept()
        except OSError:
            return
        plain.settimeout(PATIENCE_SECONDS)
        try:
            with context.wrap_socket(plain, server_side=True) if context else plain as connection:
                made.take(connection)
        except OSError:
            # A client that does not trust it, or was not trusted: the next one may be.
            plain.close()


def certificate(folder: Path, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate for the address that signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "receiver.pem", folder / "receiver.key"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert, private
