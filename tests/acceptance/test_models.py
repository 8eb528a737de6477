"""Do pools, several models, judges of their own and what was found before work together in the real server?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.acceptance.conftest import KEY, Running

from healing_eval.testing.fake_model import FakeModel

Start = Callable[..., Running]
NOBODY = "http://127.0.0.1:9/v1"
"""Where nobody listens."""


def conversation(name: str, reference: str = "BK-10001", turns: list[Any] | None = None) -> dict[str, Any]:
    turns = turns or [
        {"turn_id": 1, "role": "user", "content": f"Please cancel booking {reference}."},
        {
            "turn_id": 2,
            "role": "assistant",
            "content": f"Booking {reference} has been cancelled.",
            "tool_calls": [{"tool_name": "cancel", "parameters": {"ref": reference}, "result": {"status": "success"}}],
        },
    ]
    return {"conversation_id": name, "agent_version": "v1", "turns": turns}


def environment(fake: FakeModel, **models: Any) -> dict[str, str]:
    """A pool of a deployment that nobody serves and one that works; and what asks it."""
    deployments = {
        "gone": {"model": "openai:fake", "pool": "cheap", "url": NOBODY},
        "here": {"model": "openai:fake", "pool": "cheap", "url": fake.base_url, "key_variable": "KEY_HERE"},
        "claude": {"model": "anthropic:fake", "url": fake.address, "key_variable": "KEY_HERE"},
    }
    return {
        "HEALING_EVAL_DEPLOYMENTS": json.dumps(deployments),
        "HEALING_EVAL_MODELS": json.dumps(models),
        "HEALING_EVAL_EVALUATORS": json.dumps({"coherence_judge": {"conversations_per_prompt": 10}}),
        "OPENAI_API_KEY": "none",
        "KEY_HERE": KEY,
    }


def test_whoever_answers_judges_and_what_each_said_is_kept(start: Start, fake_model: FakeModel) -> None:
    panel = {"judge": ["cheap", "anthropic:fake"], "coherence_judge": "cheap", "tool_use_judge": "cheap"}
    running = start(**environment(fake_model, **panel))

    running.send(*(conversation(f"c{n}", f"BK-2000{n}") for n in range(3)))
    by = [running.evaluated(f"c{n}")["by"] for n in range(3)]

    for one in by:
        assert {name: found["result"]["status"] for name, found in one.items()} == {
            "heuristic": "measured",
            "tool_call": "measured",
            "coherence": "measured",
            "judge": "measured",
            "coherence_judge": "measured",
            "tool_use_judge": "measured",
        }
        assert one["tool_use_judge"]["model_use"]["deployment"] == "here"
        assert one["tool_use_judge"]["model_use"]["provider"] == "openai"
        assert one["judge"]["result"]["confidence"] == 1.0
        votes = one["judge"]["model_use"]["votes"]
        assert [(vote["asked"], vote["deployment"], vote["value"]) for vote in votes] == [
            ("cheap", "here", 0.8),
            ("anthropic:fake", "claude", 0.8),
        ]
    assert KEY not in running.log()
    assert KEY not in json.dumps(by)


def test_what_differs_in_references_only_is_asked_once_over_restarts(start: Start, fake_model: FakeModel) -> None:
    told = environment(fake_model, judge="cheap") | {"HEALING_EVAL_CACHE_URL": "sqlite:///data/healing-eval.db"}
    running = start(**told)
    running.send(conversation("first", "BK-30001"))
    first = running.evaluated("first")["by"]["judge"]
    asked = fake_model.requests
    running.terminate()

    running = start(**told)
    running.send(conversation("second", "BK-99887"))
    second = running.evaluated("second")["by"]["judge"]

    assert fake_model.requests == asked
    assert second["result"]["overall"] == first["result"]["overall"]
    assert second["result"]["issues"][0]["evidence"] == "Booking BK-99887 has been cancelled."
    assert second["model_use"]["calls"] == 0


def test_what_is_not_urgent_is_judged_by_a_batch_of_the_provider(start: Start, fake_model: FakeModel) -> None:
    deployments = {
        "batched": {
            "model": "openai:fake",
            "url": fake_model.base_url,
            "key_variable": "KEY_HERE",
            "batches": True,
            "price": {"input_dollars_per_million": 2, "output_dollars_per_million": 8},
        }
    }
    running = start(
        HEALING_EVAL_JUDGE__MODEL="openai:fake",
        HEALING_EVAL_DEPLOYMENTS=json.dumps(deployments),
        HEALING_EVAL_BATCHES=json.dumps({"not_urgent": ["judge"], "gather_seconds": 0.2, "poll_seconds": 0.2}),
        KEY_HERE=KEY,
    )

    running.send(*(conversation(f"c{n}", turns=_turns(f"Gate {n} it is.")) for n in range(3)))
    found = [running.evaluated(f"c{n}")["by"]["judge"] for n in range(3)]

    for n, one in enumerate(found):
        assert one["result"]["status"] == "measured", one
        assert one["result"]["issues"][0]["evidence"] == f"Gate {n} it is."
        use = one["model_use"]
        full = (2 * use["input_tokens"] + 8 * use["output_tokens"]) / 1_000_000
        assert use["cost_dollars"] == pytest.approx(full / 2)
    assert fake_model.batches.jobs


def _turns(said: str) -> list[dict[str, Any]]:
    return [
        {"turn_id": 1, "role": "user", "content": "Which gate?"},
        {"turn_id": 2, "role": "assistant", "content": said},
    ]
