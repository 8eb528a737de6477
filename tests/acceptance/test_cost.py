"""What did the judge cost? Told by metrics, API and command alike; and where it is not known, that is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from tests.acceptance.conftest import Running, judged_by

from healing_eval.testing.fake_model import FakeModel

Start = Callable[..., Running]

PRICE = {"input_dollars_per_million": 2, "output_dollars_per_million": 8, "cached_input_dollars_per_million": 1}
PRICED = {"HEALING_EVAL_PRICES": json.dumps({"openai:fake": PRICE})}
NAMES = ["a", "b", "c"]


def conversation(name: str) -> dict[str, Any]:
    turns = [
        {"turn_id": 1, "role": "user", "content": f"When does flight {name} leave? fault:cached"},
        {"turn_id": 2, "role": "assistant", "content": "It leaves at 10:15 from gate 4."},
    ]
    return {"conversation_id": name, "agent_version": "v1", "turns": turns}


def evaluate_three(running: Running) -> list[dict[str, Any]]:
    """Have three conversations judged and give what that took."""
    running.send(*map(conversation, NAMES))
    return [running.evaluated(name)["by"]["judge"]["model_use"] for name in NAMES]


def samples(running: Running, metric: str) -> dict[str, float]:
    with urlopen(f"{running.address}/metrics", timeout=10) as answer:
        said = answer.read().decode()
    return {labels: float(value) for labels, value in re.findall(rf"^{metric}{{(.*)}} (\S+)$", said, re.MULTILINE)}


def test_a_cost_is_added_up_and_stored_with_each_evaluation(start: Start, fake_model: FakeModel) -> None:
    running = start(**judged_by(fake_model), **PRICED)

    uses = evaluate_three(running)

    for use in uses:
        assert use["cached_input_tokens"] == use["input_tokens"] // 2
        millionths = 2 * use["input_tokens"] - use["cached_input_tokens"] + 8 * use["output_tokens"]
        assert use["cost_dollars"] == pytest.approx(millionths / 1_000_000)
    assert samples(running, "healing_eval_model_cost_dollars_total") == {
        'evaluator="judge",model="fake-1"': pytest.approx(sum(use["cost_dollars"] for use in uses))
    }
    assert samples(running, "healing_eval_model_unpriced_calls_total") == {}


def test_a_server_whose_price_nobody_told_is_not_for_free(start: Start, fake_model: FakeModel) -> None:
    running = start(**judged_by(fake_model) | {"HEALING_EVAL_JUDGE__MODEL": "openai:gpt-4o-mini"})

    uses = evaluate_three(running)

    assert ["cost_dollars" in use for use in uses] == [False] * 3
    assert samples(running, "healing_eval_model_cost_dollars_total") == {}
    assert samples(running, "healing_eval_model_unpriced_calls_total") == {'evaluator="judge",model="fake-1"': 3}


def test_the_command_tells_the_cost_as_well(tmp_path: Path, fake_model: FakeModel) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(conversation(name)) + "\n" for name in NAMES))

    done = subprocess.run(
        [str(Path(sys.executable).parent / "healing-eval"), "evaluate", str(log), "--format", "json"],
        env=os.environ | judged_by(fake_model) | PRICED,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    judges = [one for line in lines for one in line["evaluations"] if one["evaluator"] == "judge"]
    assert len(judges) == 3
    assert all(one["model_use"]["cost_dollars"] > 0 for one in judges)
