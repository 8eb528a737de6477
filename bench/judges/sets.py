"""Which stored judges are there, what did they say, and what does asking them cost?"""

from __future__ import annotations

import gzip
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from bench.realdata.records import file_of
from healing_eval.evaluators.judge.ballots import Ballot, MissingVote, Vote
from healing_eval.gateway.published import PublishedPrices

PRICES_OF = datetime(2026, 11, 1, tzinfo=UTC)
"""The day whose published prices are taken."""
OPENAI = "https://api.openai.com/v1"
OPENROUTER = "https://openrouter.ai/api/v1"


class Item(NamedTuple):
    """What all judges said of one item, and what is true."""

    name: str
    group: str
    """Items of one group are on one side of a split."""
    truth: bool
    ballots: Mapping[str, Ballot]
    costs: Mapping[str, float | None]
    """Of asking each judge, in the unit of the set; None: not known."""


class JudgeSet(NamedTuple):
    """Judges of the same items."""

    name: str
    true_means: str
    judges: tuple[str, ...]
    cheap: tuple[str, str]
    """The two cheapest, the cheaper one first: chosen by their price alone, not by what they are worth."""
    strong: str
    cost_unit: str
    """What is paid for the mean item."""
    items: Sequence[Item]


def sets() -> Iterator[JudgeSet]:
    yield tau2(_lines("judge_tau2"))
    yield cascade(_lines("judge_cascade"))
    yield llmbar(_lines("judge_llmbar"))


def tau2(lines: Sequence[dict[str, Any]]) -> JudgeSet:
    """Four prompts of one model that pass or fail a conversation; the truth is the environment's reward."""
    items = [
        Item(
            line["item_id"],
            line["split_key"],
            line["truth"] == 1,
            {judge: _passed(judge, said) for judge, said in line["judge"].items()},
            {judge: 1000 * dollars for judge, dollars in line["judge_cost_usd"].items()},
        )
        for line in lines
    ]
    judges = tuple(sorted(items[0].costs, key=lambda judge: statistics.fmean(one.costs[judge] or 0 for one in items)))
    return JudgeSet(
        "judge_tau2",
        "the task was solved",
        judges,
        (judges[0], judges[1]),
        judges[-1],
        "$ per 1,000 conversations, as paid",
        items,
    )


def cascade(lines: Sequence[dict[str, Any]]) -> JudgeSet:
    """Three models that say with what probability the first of two answers is better; one person said which is."""
    judges = {"mistral-7b-instruct": OPENROUTER, "gpt-3.5-turbo": OPENAI, "gpt-4-turbo": OPENAI}
    prices = {judge: input_price(judge, url) for judge, url in judges.items()}
    items = [
        Item(
            line["item_id"],
            line["split_key"],
            line["truth"] == 1,
            {judge: Vote(judge, _first_of(line["judge_probs"][judge])) for judge in judges},
            prices,
        )
        for line in lines
    ]
    return JudgeSet(
        "judge_cascade",
        "a person preferred the first answer",
        tuple(judges),
        ("mistral-7b-instruct", "gpt-3.5-turbo"),
        "gpt-4-turbo",
        "$ per million tokens of prompt",
        items,
    )


def llmbar(lines: Sequence[dict[str, Any]]) -> JudgeSet:
    """Five models with the plain prompt, asked twice, with the two answers in either order; people agreed on the truth.

    The value is the share of the two askings that chose the first answer, so .5 of a judge that follows the order.
    """
    served = {"ChatGPT": "gpt-3.5-turbo-0613", "GPT-4": "gpt-4-0613"}
    judges = ("ChatGPT", "PaLM2", "LLaMA2", "Falcon", "GPT-4")
    prices = {judge: _twice(input_price(served[judge], OPENAI)) if judge in served else None for judge in judges}
    items = [
        Item(
            line["item_id"],
            line["split_key"],
            line["truth"] == 1,
            {judge: _in_both_orders(judge, line["judge_orders"].get(f"{judge}/Vanilla")) for judge in judges},
            prices,
        )
        for line in lines
    ]
    return JudgeSet(
        "judge_llmbar",
        "the first answer follows the instruction better",
        judges,
        ("ChatGPT", "PaLM2"),
        "GPT-4",
        "$ per million tokens of prompt, asked twice",
        items,
    )


def input_price(model: str, url: str) -> float | None:
    """Give the dollars for a million tokens of input; None if nobody published them."""
    price = PublishedPrices(url).price(model, PRICES_OF)
    return price[0].input_dollars if price else None


def _twice(dollars: float | None) -> float | None:
    return None if dollars is None else 2 * dollars


def _passed(judge: str, said: int | None) -> Ballot:
    return MissingVote(judge, "its answer was neither pass nor fail") if said is None else Vote(judge, float(said))


def _first_of(probabilities: Sequence[float]) -> float:
    """Give the share of the first answer; what the model gave to other words is left out."""
    return probabilities[0] / sum(probabilities)


def _in_both_orders(judge: str, chosen: Sequence[str | None] | None) -> Ballot:
    read = [choice == "1" for choice in chosen or () if choice is not None]
    if not read:
        return MissingVote(judge, "neither answer could be read")
    return Vote(judge, sum(read) / len(read))


def _lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(file_of(name)) as lines:
        return [msgspec.json.decode(line) for line in lines]
