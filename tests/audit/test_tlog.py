"""The log at addresses of C2SP tlog-tiles: walked by a client that trusts nothing but the log's key."""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pymerkle import InmemoryTree

from accounts.models import User
from audit.merkle.hashing import leaf_hash
from audit.merkle.notes import opened
from audit.merkle.tile_paths import Wanted, index_path, read_bundle, read_tile
from audit.models import Event, Leaf, LogKey
from audit.sealed_tree import locked, place
from audit.services.seal import seal
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record, on_machine

Login = Callable[[Client, User], Client]
pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)
TLOG = "/api/v1/audit/tlog"


def fetched(client: Client, path: str, **headers: str) -> Any:
    answer = client.get(f"{TLOG}/{path}", headers=headers)
    assert answer.status_code == 200, answer.content
    return answer


def hashes(data: bytes) -> list[bytes]:
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def split(data: bytes) -> Iterator[bytes]:
    while data:
        length = int.from_bytes(data[:2], "big")
        yield data[2 : 2 + length]
        data = data[2 + length :]


def part(n: int, size: int, level: int = 0) -> str:
    """The address of a tile in a tree of this size: whole, or as much of it as there is."""
    width = min(256, (size >> (8 * level)) - 256 * n)
    return index_path(n) + ("" if width == 256 else f".p/{width}")


def over(nodes: list[bytes]) -> bytes:
    """RFC 6962, 2.1: the root over these, written down once more."""
    if len(nodes) == 1:
        return nodes[0]
    middle = 1 << (len(nodes) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + over(nodes[:middle]) + over(nodes[middle:])).digest()


def test_a_client_walks_tiles_and_entries_to_the_signed_root(
    client: Client, login: Login, auditor: User, recorded: Record, machine: Path
) -> None:
    for number in range(300):
        recorded(stream="policy" if number % 2 else "log")
    seal()
    login(client, auditor)
    note = fetched(client, "checkpoint").content.decode()
    said = opened(note, [row.key for row in LogKey.objects.all()])
    assert said.size == 302
    leaves, oracle = [], InmemoryTree(algorithm="sha256")
    for n in range(2):
        tile = fetched(client, f"tile/0/{part(n, said.size)}").content
        bundle = list(split(fetched(client, f"tile/entries/{part(n, said.size)}").content))
        assert [leaf_hash(each) for each in bundle] == hashes(tile)
        for each in bundle:
            oracle.append_entry(each)
        leaves += hashes(tile)
    assert len(leaves) == said.size
    assert over(leaves) == oracle.get_root() == said.root
    # Level 1 has the root over the one whole tile of level 0.
    (first,) = hashes(fetched(client, f"tile/1/{part(0, said.size, 1)}").content)
    assert first == over(leaves[:256])
    # What was served under an earlier checkpoint is served as it was.
    assert fetched(client, "tile/0/000.p/7").content == b"".join(leaves[:7])


def test_what_no_checkpoint_covers_and_what_is_no_address_of_a_tile_is_not_there(
    client: Client, login: Login, auditor: User, recorded: Record, machine: Path
) -> None:
    login(client, auditor)
    assert client.get(f"{TLOG}/checkpoint").json()["code"] == "no_checkpoint"
    recorded()
    seal()
    size = Leaf.objects.count()
    recorded()
    with transaction.atomic(using="sealer"):
        assert place(locked(), 100), "what is placed and not signed yet is not served"
    for path in (
        "tile/0/000",
        f"tile/0/000.p/{size + 1}",
        f"tile/entries/000.p/{size + 1}",
        "tile/0/000.p/03",
        "tile/0/000.p/256",
        "tile/0/x000/000.p/1",
        "tile/0/0.p/1",
        "tile/00/000.p/1",
        "tile/1/000.p/1",
        "tile/64/000.p/1",
        "tile/0/" + "x999/" * 9 + "000",
        "tile/0/-01",
        "tile/entries/000",
        "tile/entries/x",
    ):
        answer = client.get(f"{TLOG}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_tile"), path
    assert len(fetched(client, f"tile/0/000.p/{size}").content) == 32 * size


@pytest.mark.django_db(transaction=False)
def test_numbers_are_written_as_the_specification_writes_them() -> None:
    assert index_path(1234067) == "x001/x234/067"
    assert read_tile("2/x001/x234/067.p/9") == Wanted(2, 1234067, 9)
    assert read_bundle("x001/x234/067") == Wanted(0, 1234067, 256)
    # The example of the specification: a tree of 70,000.
    assert Wanted(0, 272, 256).fits(70_000)
    assert Wanted(0, 273, 112).fits(70_000)
    assert not Wanted(0, 273, 113).fits(70_000)
    assert Wanted(1, 1, 17).fits(70_000)
    assert not Wanted(1, 1, 18).fits(70_000)
    assert Wanted(2, 0, 1).fits(70_000)
    assert not Wanted(3, 0, 1).fits(70_000)


def test_tiles_are_kept_for_good_the_checkpoint_for_a_moment_and_entries_may_be_packed(
    client: Client, login: Login, auditor: User, recorded: Record, machine: Path
) -> None:
    recorded()
    seal()
    login(client, auditor)
    note = fetched(client, "checkpoint")
    assert note["Content-Type"] == "text/plain; charset=utf-8"
    assert note["Cache-Control"] == "private, max-age=1"
    tile = fetched(client, "tile/0/000.p/3")
    assert tile["Content-Type"] == "application/octet-stream"
    assert tile["Cache-Control"] == "private, max-age=31536000, immutable"
    plain = fetched(client, "tile/entries/000.p/3")
    packed = fetched(client, "tile/entries/000.p/3", **{"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert "Accept-Encoding" in plain["Vary"]
    assert "Accept-Encoding" in packed["Vary"]


def test_hashes_may_be_open_to_everybody_and_entries_never_are(
    client: Client, login: Login, reviewer: User, recorded: Record, machine: Path
) -> None:
    recorded()
    seal()
    addresses = ("checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3")
    assert [client.get(f"{TLOG}/{path}").status_code for path in addresses] == [401] * 3
    with on_machine(machine, tlog_public=True):
        assert [client.get(f"{TLOG}/{path}").status_code for path in addresses] == [200, 200, 401]
        assert fetched(client, "checkpoint")["Cache-Control"] == "public, max-age=1"
        login(client, reviewer)
        assert [client.get(f"{TLOG}/{path}").status_code for path in addresses] == [200, 200, 403]
    assert [client.get(f"{TLOG}/{path}").status_code for path in addresses] == [403] * 3


def test_a_bundle_with_a_body_that_is_gone_says_so_and_its_tile_stays(
    client: Client,
    login: Login,
    auditor: User,
    recorded: Record,
    machine: Path,
    attacker: Attacker,
) -> None:
    event = recorded()
    seal()
    login(client, auditor)
    attacker.does("DELETE FROM audit_event WHERE id = %s", event.pk)
    assert not Event.objects.filter(pk=event.pk).exists()
    answer = client.get(f"{TLOG}/tile/entries/000.p/3")
    assert (answer.status_code, answer.json()["code"]) == (404, "entries_gone")
    assert answer.json()["params"] == {"index": 0, "why": "missing"}
    assert hashes(fetched(client, "tile/0/000.p/3").content)[0] == bytes(event.leaf_hash)
