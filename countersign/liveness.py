"""Signs of life in Redis: keys that expire unless their process renews them.

`countersign:alive:worker:<queue>:<id>` is written by workers, `countersign:alive:scheduler:<id>`
by the scheduler.
"""

from django.conf import settings
from redis import Redis

from countersign.alive import ROOT


def show_scheduler(client: Redis, identity: str) -> None:
    """Say that the scheduler `identity` lives; holds for `sign_of_life_seconds`."""
    milliseconds = int(settings.COUNTERSIGN.sign_of_life_seconds * 1000)
    client.set(f"{ROOT}:scheduler:{identity}", "1", px=milliseconds)


def forget_scheduler(client: Redis, identity: str) -> None:
    """Take the sign back: the scheduler ends."""
    client.delete(f"{ROOT}:scheduler:{identity}")


def scheduler_is_alive(client: Redis) -> bool:
    """Whether any scheduler showed itself lately."""
    return _any(client, f"{ROOT}:scheduler:*")


def queues_without_worker(client: Redis) -> list[str]:
    """The queues of the settings for which no worker showed itself lately."""
    return [queue for queue in settings.RQ_QUEUES if not _any(client, f"{ROOT}:worker:{queue}:*")]


def _any(client: Redis, pattern: str) -> bool:
    return next(client.scan_iter(match=pattern, count=1000), None) is not None
