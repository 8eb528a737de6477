"""Is what was set aside shown, sent back and dropped from the terminal?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from healing_eval import plugins
from healing_eval.cli.main import main
from healing_eval.domain.conversation import key_to_text
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission
from healing_eval.testing.contract_stream import keys_of

Dead = Callable[..., Result]


@pytest.fixture
def dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dead:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["dead", *arguments])


@pytest.fixture
def on_redis(dead: Dead, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Dead:
    monkeypatch.setenv("HEALING_EVAL_STREAM_URL", redis_url)
    asyncio.run(bury(redis_url, "checks", 3))
    asyncio.run(bury(redis_url, "judges", 1))
    return dead


async def bury(url: str, lane: str, count: int) -> None:
    stream: Stream = plugins.load_for_url(plugins.STREAM, url).from_url(url)  # type: ignore[attr-defined]
    await stream.append(lane, keys_of(count))
    for one in await stream.read(lane, "a", count=count, wait_seconds=1):
        await stream.bury(lane, [one], "it \x1b[31mbreaks\x1b[0m us")
    await stream.close()


def listed(dead: Dead, *arguments: str) -> list[dict[str, Any]]:
    return msgspec.json.decode(dead("list", "--format", "json", *arguments).stdout)


@pytest.mark.services
def test_what_was_set_aside_is_listed_lane_by_lane_the_oldest_first(on_redis: Dead) -> None:
    lines = listed(on_redis)

    assert [(line["lane"], line["revision"]) for line in lines] == [
        ("checks", 1),
        ("checks", 2),
        ("checks", 3),
        ("judges", 1),
    ]
    assert lines[0]["conversation_key"] == key_to_text(keys_of(1)[0].conversation_key)
    assert len(listed(on_redis, "--lane", "checks", "--limit", "2")) == 2


@pytest.mark.services
def test_the_table_shows_nothing_that_a_terminal_obeys(on_redis: Dead) -> None:
    shown = on_redis("list").stdout

    assert "breaks" in shown
    assert "\x1b[31m" not in shown


@pytest.mark.services
def test_one_is_sent_back_by_its_id(on_redis: Dead) -> None:
    first = listed(on_redis)[0]["id"]

    result = on_redis("retry", "--lane", "checks", "--id", first)

    assert (result.exit_code, result.stdout) == (0, "1 message sent back\n")
    assert first not in [line["id"] for line in listed(on_redis, "--lane", "checks")]


@pytest.mark.services
def test_all_are_sent_back(on_redis: Dead) -> None:
    result = on_redis("retry", "--all", "--format", "json")

    assert msgspec.json.decode(result.stdout) == {"count": 4}
    assert on_redis("list").stdout == "nothing was set aside\n"


@pytest.mark.services
def test_what_is_sent_back_waits_for_its_lane_again(
    dead: Dead, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sqlite:///{tmp_path}/store.db"
    monkeypatch.setenv("HEALING_EVAL_STREAM_URL", redis_url)
    monkeypatch.setenv("HEALING_EVAL_STORE_URL", store)
    asyncio.run(give_up_one(store, redis_url))

    done = dead("retry", "--all")

    assert done.stdout == "1 message sent back\n"
    assert asyncio.run(outstanding(store)) == ("checks",)


async def give_up_one(store: str, stream_url: str) -> None:
    ledger: Ledger = plugins.load_for_url(plugins.LEDGER, store).from_url(store)  # type: ignore[attr-defined]
    stream: Stream = plugins.load_for_url(plugins.STREAM, stream_url).from_url(stream_url)  # type: ignore[attr-defined]
    await ledger.open()
    key = (await ledger.add([a_submission(a_conversation("a"))], ["checks"]))[0].revision_key
    await stream.append("checks", [key])
    await ledger.fail([key], "checks", "it breaks us")
    await stream.bury("checks", await stream.read("checks", "w", count=1, wait_seconds=1), "it breaks us")
    await stream.close()
    await ledger.close()


async def outstanding(store: str) -> tuple[str, ...]:
    ledger: Ledger = plugins.load_for_url(plugins.LEDGER, store).from_url(store)  # type: ignore[attr-defined]
    await ledger.open()
    head = await ledger.find(PROJECT, "a")
    await ledger.close()
    return head.outstanding if head else ()


@pytest.mark.services
def test_those_of_one_lane_are_dropped(on_redis: Dead) -> None:
    result = on_redis("drop", "--all", "--lane", "checks")

    assert result.stdout == "3 messages dropped\n"
    assert [line["lane"] for line in listed(on_redis)] == ["judges"]


@pytest.mark.parametrize("verb", ["list", "retry", "drop"])
def test_a_stream_within_another_process_has_nothing_to_show(dead: Dead, verb: str) -> None:
    result = dead(verb, *([] if verb == "list" else ["--all"]))

    assert result.exit_code == 2
    assert "setting 'stream_url' is memory://" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--all", "--id", "1-0", "--lane", "checks"], ["--id", "1-0"]])
def test_it_has_to_be_said_which(dead: Dead, arguments: list[str]) -> None:
    assert dead("retry", *arguments).exit_code == 2
    assert dead("drop", *arguments).exit_code == 2


def test_a_redis_that_is_not_there_is_one_line(dead: Dead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_STREAM_URL", "redis://:hidden@127.0.0.1:1/0")

    result = dead("list")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: redis at redis://***@127.0.0.1:1/0: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.services
def test_an_id_that_is_none_is_refused(on_redis: Dead) -> None:
    assert on_redis("drop", "--lane", "checks", "--id", "nonsense").exit_code == 2
