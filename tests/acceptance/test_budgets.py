"""What happens when the money is spent? Checks go on, and what was not measured is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import Running, judged_by, wait_until
from tests.acceptance.test_cost import samples

from healing_eval.testing.fake_model import FakeModel

Start = Callable[..., Running]

PRICES = {"openai:fake": {"input_dollars_per_million": 1000, "output_dollars_per_million": 1000}}
SPENT = "not measured: budget daily is spent"


def on_a_budget(**parts: Any) -> dict[str, str]:
    budget = {"period": "day", "soft_share": 1.0} | parts
    return {"HEALING_EVAL_PRICES": json.dumps(PRICES), "HEALING_EVAL_BUDGETS": json.dumps({"daily": budget})}


def conversation(name: str) -> dict[str, Any]:
    turns = [
        {"turn_id": 1, "role": "user", "content": f"When does flight {name} leave?"},
        {"turn_id": 2, "role": "assistant", "content": "It leaves at 10:15 from gate 4."},
    ]
    return {"conversation_id": name, "agent_version": "v1", "turns": turns}


def evaluate_one(running: Running, name: str) -> dict[str, Any]:
    running.send(conversation(name))
    return running.evaluated(name)


@pytest.mark.parametrize("limit", [{"dollars": 2.5}, {"tokens": 2500}])
def test_a_spent_budget_ends_what_is_paid_and_nothing_else(
    start: Start, fake_model: FakeModel, limit: dict[str, float]
) -> None:
    fake_model.reset()
    running = start(**judged_by(fake_model), **on_a_budget(**limit))

    found = [evaluate_one(running, f"c-{n}") for n in range(6)]

    statuses = [one["by"]["judge"]["result"]["status"] for one in found]
    paid = statuses.count("measured")
    assert 0 < paid < 6
    assert statuses == ["measured"] * paid + ["abstained"] * (6 - paid)
    assert fake_model.requests == paid
    assert found[-1]["by"]["judge"]["result"]["reason"] == SPENT
    assert {"evaluator": "judge", "reason": SPENT} in found[-1]["verdict"]["missing"]
    assert {one["by"]["heuristic"]["result"]["status"] for one in found} == {"measured"}
    assert [one["by"]["judge"]["inclusion_probability"] for one in found] == [1.0] * paid + [0.0] * (6 - paid)
    skipped = samples(running, "healing_eval_budget_skipped_total")
    assert skipped == {'budget="daily",evaluator="judge",reason="spent"': 6 - paid}
    assert samples(running, "healing_eval_budget_spent_ratio")['budget="daily"'] >= 1


def test_a_restart_makes_no_budget_anew_nor_does_a_next_command(
    start: Start, fake_model: FakeModel, tmp_path: Path
) -> None:
    fake_model.reset()
    environment = judged_by(fake_model) | on_a_budget(dollars=2.5)
    first = start(**environment)
    found = [evaluate_one(first, f"c-{n}") for n in range(6)]
    first.terminate()
    paid = fake_model.requests

    after = evaluate_one(start(**environment), "c-6")
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(conversation("c-7")))
    command = [str(Path(sys.executable).parent / "healing-eval"), "evaluate", str(log), "--format", "json"]
    told = os.environ | environment | {"HEALING_EVAL_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(command, env=told, cwd=tmp_path, capture_output=True, check=True)

    (line,) = done.stdout.splitlines()
    by_command = {one["evaluator"]: one for one in json.loads(line)["evaluations"]}
    assert found[-1]["by"]["judge"]["result"]["reason"] == SPENT
    assert after["by"]["judge"]["result"]["reason"] == by_command["judge"]["result"]["reason"] == SPENT
    assert fake_model.requests == paid


def test_with_a_higher_budget_a_backfill_measures_the_rest(start: Start, fake_model: FakeModel, tmp_path: Path) -> None:
    environment = judged_by(fake_model) | {"HEALING_EVAL_WORKER__SWEEP_EVERY_SECONDS": "0.2"}
    first = start(**environment, **on_a_budget(dollars=2.5))
    before = [evaluate_one(first, f"c-{n}") for n in range(6)]
    missing = [one for one in before if one["by"]["judge"]["result"]["status"] == "abstained"]
    first.terminate()
    fake_model.reset()
    second = start(**environment, **on_a_budget(dollars=100))

    done = subprocess.run(
        [str(Path(sys.executable).parent / "healing-eval"), "backfill", "--data", str(tmp_path / "data")],
        env=os.environ | environment | on_a_budget(dollars=100),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    def judged() -> list[str]:
        answers = [second.call("GET", f"/api/v1/evaluations/c-{n}")[1]["evaluations"] for n in range(6)]
        return [one["result"]["status"] for answer in answers for one in answer if one["evaluator"] == "judge"]

    wait_until(lambda: judged() == ["measured"] * 6)
    after = [second.evaluated(f"c-{n}") for n in range(6)]
    assert f"{len(missing)} conversations opened again" in done.stdout
    assert 0 < len(missing) == fake_model.requests
    assert all("judge" in one["verdict"]["weights"] for one in after)
    kept = [one["by"]["judge"]["model_use"] for one in before if one not in missing]
    assert kept == [one["by"]["judge"]["model_use"] for one in after][: len(kept)]
