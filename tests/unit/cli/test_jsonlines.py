"""Can a machine read what is written?"""

from __future__ import annotations

import io

import msgspec
import pytest

from healing_eval.cli.jsonlines import JsonLines
from healing_eval.cli.offline import Evaluated
from healing_eval.domain.evaluation import Evaluation, Findings, Missing, ModelUse, Verdict
from healing_eval.testing.builders import a_conversation, a_local_item


def test_a_line_holds_the_verdict_and_what_every_evaluator_said() -> None:
    out = io.BytesIO()
    verdict = Verdict(0.8, "pass", (Missing("judge", "no model"),))
    evaluation = Evaluation(b"\x00" * 16, "toy", "v1", Findings(0.8))
    one = Evaluated(a_local_item(a_conversation("a/ü")), 2, verdict, (evaluation,))

    JsonLines(out).write([one, one])

    first, second = out.getvalue().splitlines()
    assert first == second
    line = msgspec.json.decode(first)
    assert (line["conversation_id"], line["agent_version"], line["revision"]) == ("a/ü", "v1", 2)
    assert line["verdict"]["overall"] == 0.8
    assert line["verdict"]["missing"] == [{"evaluator": "judge", "reason": "no model"}]
    assert line["evaluations"] == [
        {"evaluator": "toy", "version": "v1", "result": {"status": "measured", "overall": 0.8}}
    ]


@pytest.mark.parametrize(
    ("cost", "shown"), [(0.00125, {"cost_dollars": 0.00125}), (0.0, {"cost_dollars": 0.0}), (None, {})]
)
def test_a_line_tells_what_a_model_cost_and_nothing_where_that_is_not_known(
    cost: float | None, shown: dict[str, float]
) -> None:
    out = io.BytesIO()
    evaluation = Evaluation(b"\x00" * 16, "judge", "v1", Findings(0.8), model_use=ModelUse("m", 9, 8, 1, 7, cost))
    one = Evaluated(a_local_item(a_conversation("a")), 1, Verdict(0.8, "pass"), (evaluation,))

    JsonLines(out).write([one])

    (written,) = msgspec.json.decode(out.getvalue())["evaluations"]
    counts = {"input_tokens": 9, "output_tokens": 8, "cached_input_tokens": 7}
    assert written["model_use"] == {"model": "m"} | counts | shown


def test_nothing_to_write_writes_nothing() -> None:
    out = io.BytesIO()

    JsonLines(out).write([])

    assert out.getvalue() == b""
