"""Is it said what other models would cost or save, and never what is not known?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.cli.advise.comparison import compare
from healing_eval.cli.advise.proposal import EXAMPLE, example_plans
from healing_eval.cli.advise.report import Report, report_on
from healing_eval.cli.advise.sizes import Sizes
from healing_eval.cli.advise.verdict import in_words, money
from healing_eval.cli.main import main
from healing_eval.config import read_settings
from healing_eval.domain.evaluation import ModelUse, ModelVote
from healing_eval.gateway.quotes import Taken
from healing_eval.testing.builders import a_conversation, a_submission, an_evaluation
from healing_eval.testing.contract_ledger import LANES, close

NOW = datetime(2026, 11, 27, tzinfo=UTC)
OWN = """
[judge]
model = "openai:dear"
[prices."openai:dear"]
input_dollars_per_million = 10
output_dollars_per_million = 20
[prices."openai:cheap"]
input_dollars_per_million = 1
output_dollars_per_million = 4
[deployments.here]
model = "openai:dear"
pool = "both"
weight = 1
[deployments.there]
model = "openai:cheap"
pool = "both"
weight = 3
key_variable = "NO_SUCH_KEY"
"""


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "HEALING_EVAL_JUDGE__MODEL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "healing-eval.toml").write_text(OWN)


def advise(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["advise", "models", *arguments])


def said(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
    result = advise(*arguments, "--format", "json")
    assert result.exit_code == exit_code, result.output
    return msgspec.json.decode(result.stdout)


def of_the_judge(report: dict[str, Any]) -> dict[str, Any]:
    return next(line for line in report["evaluators"] if line["evaluator"] == "judge")


def test_both_sides_are_priced_by_what_an_evaluation_takes() -> None:
    report = said("--model", "judge=openai:cheap", "--tokens", "judge=1000,100")

    judge = of_the_judge(report)
    assert judge["now"] == ["openai:dear"]
    assert judge["now_per_1000"]["estimate"] == pytest.approx(12)
    assert judge["proposed_per_1000"]["estimate"] == pytest.approx(1.4)
    assert judge["difference_per_1000"]["estimate"] == pytest.approx(-10.6)
    assert judge["factor"] == pytest.approx(1.4 / 12)
    assert "saves 88.3 % of what it replaces: $10.60 less per 1,000 conversations" in report["verdict"]


def test_no_key_is_needed_and_published_prices_are_known_with_the_extra() -> None:
    pytest.importorskip("genai_prices")

    report = said("--model", "judge=anthropic:claude-haiku-4-5", "--tokens", "1000,100")

    assert of_the_judge(report)["unpriced"] == []


def test_a_month_is_added_up_for_as_many_conversations_a_minute() -> None:
    arguments = ("--model", "judge=openai:cheap", "--tokens", "1000,100")

    report = said(*arguments, "--per-minute", "10")

    conversations = 10 * 60 * 24 * 30
    assert report["per_month"]["now"] == pytest.approx(report["per_1000"]["now"] * conversations / 1000)
    assert said(*arguments)["per_month"] is None


def test_without_a_size_the_prices_alone_tell_the_factors() -> None:
    report = said("--model", "judge=openai:cheap")

    judge = of_the_judge(report)
    assert judge["now_per_1000"] is None
    assert judge["factor_at_any_size"] == [pytest.approx(0.1), pytest.approx(0.2)]
    assert "saves 80 to 90 % of what it replaces, whatever" in report["verdict"]
    assert any("--tokens" in remark for remark in report["remarks"])


def test_a_price_that_is_not_known_is_never_0() -> None:
    report = said("--model", "judge=openai:nobody-sells-this", "--tokens", "1000,100", exit_code=3)

    judge = of_the_judge(report)
    assert judge["proposed_per_1000"] is None
    assert judge["difference_per_1000"] is None
    assert judge["factor"] is None
    assert judge["unpriced"] == ["openai:nobody-sells-this"]
    assert report["per_1000"] is None
    assert "not known: no price is known for openai:nobody-sells-this" in report["verdict"]


def test_in_the_table_it_says_so_too() -> None:
    result = advise("--model", "judge=openai:nobody-sells-this", "--tokens", "1000,100")

    assert result.exit_code == 3
    assert "no price known" in result.output
    assert "$0.00" not in next(line for line in result.output.splitlines() if line.startswith("judge"))


def test_another_server_has_no_published_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    assert of_the_judge(said("--model", "judge=openai:gpt-4o-mini", exit_code=3))["unpriced"] == ["openai:gpt-4o-mini"]


def test_a_pool_is_priced_by_its_weights_and_a_list_by_its_sum() -> None:
    pool = of_the_judge(said("--model", "judge=both", "--tokens", "1000,0"))
    Path("list.toml").write_text('[models]\njudge = ["openai:dear", "openai:cheap"]\n')
    several = of_the_judge(said("--table", "list.toml", "--tokens", "1000,0"))

    assert pool["proposed_per_1000"]["estimate"] == pytest.approx(0.25 * 10 + 0.75 * 1)
    assert several["proposed_per_1000"]["estimate"] == pytest.approx(11)


def test_who_asks_nothing_now_adds_a_cost() -> None:
    Path("healing-eval.toml").write_text(OWN.replace('[judge]\nmodel = "openai:dear"', ""))

    report = said("--model", "judge=openai:cheap", "--tokens", "judge=1000,100")

    assert of_the_judge(report)["now_per_1000"]["estimate"] == 0
    assert "costs $1.400 per 1,000 conversations, where nothing is paid now" in report["verdict"]
    assert "not known how many tokens" in said("--model", "judge=openai:cheap", exit_code=3)["verdict"]


def test_what_is_proposed_and_in_force_already_changes_nothing() -> None:
    assert said("--model", "judge=openai:dear")["verdict"] == "The proposal changes nothing here."


def test_only_evaluators_that_ask_a_model_are_compared() -> None:
    compared = {line["evaluator"] for line in said("--model", "judge=openai:cheap")["evaluators"]}

    assert "judge" in compared
    assert compared.isdisjoint({"heuristic", "tool_call", "coherence"})


def use(input_tokens: int | None, output_tokens: int, **more: Any) -> ModelUse:
    return ModelUse("x", input_tokens, output_tokens, **more)


def test_results_of_evaluate_tell_the_sizes() -> None:
    votes = tuple(ModelVote(asked, 0.5, asked) for asked in ("a", "b"))
    uses = (use(1000, 100), use(3000, 300, calls=3), use(4000, 400, votes=votes), use(None, 5), None)
    lines = [{"evaluations": [{"evaluator": "judge", "version": "1", "model_use": one}]} for one in uses]
    Path("results.jsonl").write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines))

    judge = of_the_judge(said("--model", "judge=openai:cheap", "--results", "results.jsonl"))

    assert judge["evaluations"] == 3
    assert judge["now_per_1000"]["estimate"] == pytest.approx(12 * (1 + 3 + 2) / 3)
    assert judge["now_per_1000"]["low"] < 24 < judge["now_per_1000"]["high"]


def test_evaluations_in_the_store_tell_the_sizes(tmp_path: Path) -> None:
    async def fill() -> None:
        ledger = SqliteLedger.from_url(f"sqlite:///{tmp_path}/store/healing-eval.db")
        await ledger.open()
        for number in range(120):  # more than a page
            conversation = a_conversation(f"c-{number}")
            (receipt,) = await ledger.add([a_submission(conversation)], LANES)
            found = msgspec.structs.replace(an_evaluation(conversation, "judge"), model_use=use(1000, 100))
            assert await close(ledger, "judges", receipt.revision_key, found)
        await ledger.close()

    (tmp_path / "store").mkdir()
    asyncio.run(fill())

    judge = of_the_judge(said("--model", "judge=openai:cheap", "--data", "store"))
    elsewhere = of_the_judge(said("--model", "judge=openai:cheap", "--data", "store", "--project", "other"))

    assert judge["evaluations"] == 120
    assert judge["now_per_1000"]["estimate"] == pytest.approx(12)
    assert elsewhere["evaluations"] == 0
    assert elsewhere["now_per_1000"] is None


def test_no_store_is_made_to_look_into_it() -> None:
    said("--model", "judge=openai:cheap", "--data", "nowhere")

    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "nothing to compare"),
        (("--example", "--model", "judge=openai:cheap"), "--example alone"),
        (("--model", "judge"), "expected EVALUATOR=PROVIDER:MODEL"),
        (("--model", "heuristic=openai:cheap"), "no evaluator 'heuristic' that asks a model; those that do: "),
        (("--model", "judge=cheap"), "'models.judge' must be provider:model"),
        (("--model", "judge=nobody:cheap"), "'models.judge': no provider 'nobody'"),
        (("--model", "judge=openai:cheap", "--tokens", "many"), "expected [EVALUATOR=]INPUT,OUTPUT"),
        (("--model", "judge=openai:cheap", "--tokens", "1,2,3"), "expected [EVALUATOR=]INPUT,OUTPUT"),
        (("--model", "judge=openai:cheap", "--tokens", "jugde=1,2"), "no evaluator 'jugde'"),
        (("--model", "judge=openai:cheap", "--results", "none.jsonl"), "none.jsonl cannot be read: No such file"),
        (("--model", "judge=openai:cheap", "--results", "healing-eval.toml"), "healing-eval.toml, line 1: "),
        (("--table", "none.toml"), "none.toml cannot be read: No such file"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_was_expected(arguments: tuple[str, ...], expected: str) -> None:
    result = advise(*arguments)

    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "written", ["", "models = 3", "[models]\njudge = 3", "[models]\n[judge]\nmodel = 'openai:cheap'", "[models", "\xff"]
)
def test_a_table_that_is_none_is_refused(written: str) -> None:
    Path("table.toml").write_bytes(written.encode("latin-1"))

    result = advise("--table", "table.toml")

    assert result.exit_code == 2
    assert "table.toml" in result.stderr
    assert "expected one table [models]" in result.stderr


def example(taken: Taken | None = None, *, known: tuple[str, ...] = tuple(EXAMPLE)) -> Report:
    sizes = {} if taken is None else {name: Sizes((taken,), "told", False) for name in EXAMPLE}
    lines = compare(read_settings(), list(example_plans(known)), sizes, NOW)
    return report_on(lines, NOW, None, is_example=True)


def test_the_example_of_the_strategy_is_dearer_than_what_it_replaces() -> None:
    pytest.importorskip("genai_prices")

    report = example()

    assert "The proposal costs 2.5 to 6.7 times as much as what it replaces" in report.verdict
    assert "67 % is saved for tool_use_judge and coherence_judge" in report.remarks[0]
    assert (
        "that is not so: openai:gpt-3.5-turbo costs 2.5 to 6.7 times as much as openai:gpt-4o-mini" in report.remarks[0]
    )
    assert "not measured here" in report.remarks[0]


def test_with_a_size_it_is_told_in_dollars() -> None:
    pytest.importorskip("genai_prices")

    report = example(Taken(input_tokens=1000, output_tokens=100))

    # .15 + .06 each, and .5 + .15 for the two that change
    assert report.per_1000 is not None
    assert (report.per_1000.now, report.per_1000.proposed) == pytest.approx((3 * 0.21, 0.21 + 2 * 0.65))
    assert "costs 3.1 times as much as what it replaces" in report.verdict


def test_evaluators_of_the_example_that_are_not_there_are_named_and_not_counted() -> None:
    report = example(Taken(input_tokens=1000, output_tokens=100), known=("judge",))

    assert "There is no evaluator coherence_judge here." in report.remarks
    assert report.verdict == "The proposal changes nothing here."


@pytest.mark.parametrize(("input_dollars", "held"), [(0.01, "that is so"), (0.06, "that may be so")])
def test_the_claim_is_held_against_the_prices_in_force(input_dollars: float, held: str) -> None:
    prices = "".join(
        f'[prices."openai:{name}"]\ninput_dollars_per_million = {dollars}\noutput_dollars_per_million = {output}\n'
        for name, dollars, output in (("gpt-4o-mini", 0.15, 0.6), ("gpt-3.5-turbo", input_dollars, 0.1))
    )
    Path("healing-eval.toml").write_text(prices)

    assert held in example().remarks[0]


def test_the_command_compares_the_example() -> None:
    pytest.importorskip("genai_prices")

    result = advise("--example")

    assert result.exit_code == 0
    assert "openai:gpt-3.5-turbo" in result.output
    assert "The scaling strategy says" in result.output


def test_all_output_of_the_table_is_there() -> None:
    result = advise("--model", "judge=openai:cheap", "--tokens", "1000,100", "--per-minute", "10")

    assert "-$10.60" in result.output
    assert "0.12 (-88 %)" in result.output
    assert "30 days at 10 conversations a minute" in result.output
    assert "Quality and speed are not compared here" in result.output


@pytest.mark.parametrize(
    ("least", "greatest", "words"),
    [
        (1, 1, "costs as much as"),
        (0.4, 0.6, "saves 40 to 60 % of"),
        (0.5, 0.5, "saves 50 % of"),
        (0.8, 1.5, "costs between 0.80 and 1.50 times as much as"),
        (1.2, 1.2, "costs 1.20 times as much as"),
        (2.5, 6.66, "costs 2.5 to 6.7 times as much as"),
    ],
)
def test_factors_are_told_in_words(least: float, greatest: float, words: str) -> None:
    assert in_words(least, greatest) == words


@pytest.mark.parametrize(
    ("dollars", "written"), [(0, "$0.00"), (-1234.5, "-$1,234.50"), (0.48, "$0.480"), (0.00123, "$0.00123")]
)
def test_small_amounts_are_not_shown_as_nothing(dollars: float, written: str) -> None:
    assert money(dollars) == written
