from __future__ import annotations

from collections.abc import Callable

import pytest

from healing_eval.testing.servers.redis import RedisServer

pytestmark = pytest.mark.services


@pytest.mark.parametrize(("aof", "kept"), [("always", "$5"), (None, "$-1")])
def test_a_crashed_redis_comes_back_on_its_port_with_what_it_was_told_to_keep(
    new_redis: Callable[..., RedisServer], aof: str | None, kept: str
) -> None:
    server = new_redis(aof=aof)
    server.start()
    url = server.url
    server.ask("SET word thing")

    server.kill()
    server.start()

    assert server.url == url
    assert server.ask("GET word") == kept


def test_further_arguments_are_passed_on(new_redis: Callable[..., RedisServer]) -> None:
    server = new_redis(extra=["--maxmemory", "20mb"])
    server.start()

    assert server.ask_all("CONFIG GET maxmemory").splitlines()[-2] == "20971520"


def test_what_is_removed_leaves_no_folder(new_redis: Callable[..., RedisServer]) -> None:
    server = new_redis()
    server.start()

    server.remove()

    assert not server.runs
    assert not server.folder.exists()
