"""The bare floor: commit a row, push to Redis, pop in a waiting process, commit the result.

`python -m benchmarks.floor` is that waiting process; it ends when it pops an empty text.
"""

import os
import subprocess
import sys
from time import monotonic_ns

import psycopg
from redis import Redis

QUEUE, DONE = "benchmarks:floor", "benchmarks:floor:done"


def worker() -> None:
    """Pop, commit the result, say when."""
    client = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=60)
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as connection:
        while True:
            popped = client.blpop([QUEUE], timeout=30)
            if not popped or not popped[1]:
                return
            connection.execute(
                "UPDATE benchmark_floor SET done = true WHERE id = %s", [int(popped[1])]
            )
            connection.commit()
            client.rpush(DONE, str(monotonic_ns()))


def measure(cycles: int) -> list[float]:
    """Milliseconds from the first commit to the second, one cycle after the other."""
    client = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=60)
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.floor"])
    taken: list[float] = []
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as connection:
        connection.execute("DROP TABLE IF EXISTS benchmark_floor")
        connection.execute(
            "CREATE TABLE benchmark_floor (id int PRIMARY KEY, done bool NOT NULL DEFAULT false)"
        )
        connection.commit()
        for cycle in range(cycles):
            connection.execute("INSERT INTO benchmark_floor (id) VALUES (%s)", [cycle])
            connection.commit()
            committed = monotonic_ns()
            client.rpush(QUEUE, str(cycle))
            popped = client.blpop([DONE], timeout=30)
            assert popped, "the floor's worker did not answer"
            taken.append((int(popped[1]) - committed) / 1e6)
        connection.execute("DROP TABLE benchmark_floor")
        connection.commit()
    client.rpush(QUEUE, "")
    process.wait(10)
    return taken


if __name__ == "__main__":
    worker()
