"""One PostgreSQL cluster for a test session, and a database and a Redis for each test process."""

from countersign.programs import PROJECT
from countersign.testing.cluster import (
    Cluster,
    product_environment,
    session_cluster,
    short_folder,
    start_cluster,
    start_redis,
)

__all__ = [
    "PROJECT",
    "Cluster",
    "product_environment",
    "session_cluster",
    "short_folder",
    "start_cluster",
    "start_redis",
]
