from __future__ import annotations

import pytest

from healing_eval import telemetry
from healing_eval.backends.stream.memory import MemoryStream
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.pipeline.timed import timed_stream


def count(operation: str) -> float:
    name = "healing_eval_stream_seconds_count"
    return telemetry.REGISTRY.get_sample_value(name, {"operation": operation}) or 0.0


async def test_operations_are_measured_and_waiting_for_work_is_not() -> None:
    stream = timed_stream(MemoryStream())
    before = count("append")

    await stream.append("checks", [RevisionKey(bytes(16), 1)])
    (taken,) = await stream.read("checks", "me", count=1, wait_seconds=0)

    assert taken.revision_key == RevisionKey(bytes(16), 1)
    assert count("append") == before + 1
    assert count("read") == 0


async def test_what_fails_is_measured_and_still_fails() -> None:
    class Down(MemoryStream):
        async def depth(self, lane: str) -> int:
            raise BackendError("down")

    before = count("depth")

    with pytest.raises(BackendError, match="down"):
        await timed_stream(Down()).depth("checks")

    assert count("depth") == before + 1
