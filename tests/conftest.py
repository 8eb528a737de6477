"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import structlog

from healing_eval.testing.servers.process import MissingServer, wait_until_ready
from healing_eval.testing.servers.redis import RedisServer


@pytest.fixture(autouse=True)
def logging_as_at_the_start() -> Iterator[None]:
    """Undo what a test configured: commands that run in-process set the level for the whole process."""
    yield
    structlog.reset_defaults()


def a_redis(**how: Any) -> RedisServer:
    """Make a Redis, not started yet; where there is none, skip the test, but never in CI."""
    try:
        return RedisServer(**how)
    except MissingServer as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for all tests that leave it running and disturb nobody."""
    server = a_redis()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Names of one's own on the common Redis."""
    return f"{redis_server.url}?prefix={uuid4().hex}"


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisServer]:
    """A cluster of one node: it refuses what reaches over slots, and a script that touches keys it did not name."""
    server = a_redis(extra=["--cluster-enabled", "yes"])
    server.start()
    server.ask("CLUSTER ADDSLOTSRANGE 0 16383")
    wait_until_ready(lambda: "cluster_state:ok" in server.ask_all("CLUSTER INFO"), "the cluster")
    yield server
    server.remove()


@pytest.fixture
def redis_cluster_url(redis_cluster: RedisServer) -> str:
    """Names of one's own on the common cluster."""
    return f"{redis_cluster.url}?prefix={uuid4().hex}"


@pytest.fixture
def new_redis() -> Iterator[Callable[..., RedisServer]]:
    """Make a Redis of one's own, to be started and disturbed at will."""
    made: list[RedisServer] = []

    def make(**how: Any) -> RedisServer:
        made.append(a_redis(**how))
        return made[-1]

    yield make
    for server in made:
        server.remove()
