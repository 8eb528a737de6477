from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Literal

import pytest
import stamina
import structlog
from prometheus_client import CollectorRegistry, Histogram

from healing_eval.errors import ModelUnavailable
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.telemetry import Bounded, Durations, configure_logging
from healing_eval.testing.builders import a_conversation, a_turn
from healing_eval.testing.toy import ToyEvaluator


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def configure(level: str, style: Literal["json", "text"]) -> None:
    """Log as asked, but let no logger remember this test's streams."""
    configure_logging(level, style)
    structlog.configure(cache_logger_on_first_use=False)


async def retry_once() -> None:
    async for attempt in stamina.retry_context(on=OSError, attempts=2, wait_initial=0, wait_jitter=0):
        with attempt:
            if attempt.num == 1:
                raise OSError("down")


def test_retries_are_told_on_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")

    asyncio.run(retry_once())

    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err)["event"] == "stamina.retry_scheduled"


def test_what_is_less_severe_than_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure("error", "json")

    asyncio.run(retry_once())
    structlog.get_logger().error("store.failed")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["level"] == "error"


async def test_a_batch_that_fails_says_the_class_of_the_error_and_no_content(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("debug", "text")
    toy = ToyEvaluator()
    toy.raises_on["private-id"] = ModelUnavailable("the user said: my pin is 90210")
    conversation = a_conversation("private-id", [a_turn(1), a_turn(2, "assistant", "Your pin is 90210.")])

    evaluated = [one async for one in evaluate([conversation], [toy])]

    said = capsys.readouterr()
    assert len(evaluated) == 1
    assert said.out == ""
    assert "ModelUnavailable" in said.err
    assert "90210" not in said.err
    assert "private-id" not in said.err


def test_a_label_that_others_choose_takes_so_many_values_and_no_more() -> None:
    bounded = Bounded(most=2)

    assert [bounded(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]


def test_many_durations_are_told_as_the_library_tells_each() -> None:
    bounds, seconds = (0.0001, 0.5, 1, 60), (0.0, 0.0001, 0.00011, 0.5, 0.75, 1.0, 59.9, 61.0)
    each, many = CollectorRegistry(), CollectorRegistry()
    one_by_one = Histogram("took_seconds", "How long.", ["who"], buckets=bounds, registry=each)
    at_once = Durations("took_seconds", "How long.", "who", bounds, registry=many)

    for who in ("a", "b"):
        for one in seconds:
            one_by_one.labels(who).observe(one)
        at_once.observe(who, seconds[:3])
        at_once.observe(who, seconds[3:])

    assert _told_by(many) == _told_by(each)


def _told_by(registry: CollectorRegistry) -> list[tuple[str, dict[str, str], float]]:
    samples = (sample for family in registry.collect() for sample in family.samples)
    return [(one.name, one.labels, one.value) for one in samples if not one.name.endswith("_created")]
