"""How many conversations do models judge, what is paid for twice, and what is left when a provider fails?

    .venv/bin/python -m bench.gateway [PART …] [--rows ROW …] [--rounds 3] [--seconds 60] [--warm-up 10] [--load FILE]

Parts: judges (three that ask a model; rows ten, ten-untold, one: by conversations in a prompt), in-turn (ten, and what
there is without judges, in turn), repeats, faults. Every round has a new PostgreSQL and a new Redis at default
durability, `serve` and `work` in processes of their own, and models that take 800 ms (judges), 20 ms (repeats) or 300
ms (faults) for an answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import uvloop

from bench.gateway.faults import FAULTS, Kept, measure
from bench.gateway.models import JUDGES
from bench.gateway.repeats import Repeated, again, planted
from bench.production.__main__ import ROWS as WITHOUT_JUDGES
from bench.production.__main__ import rounds_of, show
from bench.production.rows import Plan, Round, Row, sustained

PARTS = ("judges", "in-turn", "repeats", "faults")
MODEL_MS = 800
THREE = {"HEALING_EVAL_MODELS": json.dumps(dict.fromkeys(JUDGES, "openai:bench-1"))}
TEN = {"conversations_per_prompt": 10}


def _options(each: Mapping[str, object]) -> dict[str, str]:
    return {"HEALING_EVAL_EVALUATORS": json.dumps(dict.fromkeys(JUDGES, each))}


ROWS = (
    Row(
        "ten",
        "three deterministic evaluators and three judges, 10 in a prompt",
        "conv/min",
        60_000,
        100_000,
        partial(sustained, model_delay_ms=MODEL_MS, settings=THREE | _options(TEN)),
    ),
    Row(
        "ten-untold",
        "the same, judges are not told what checks found",
        "conv/min",
        60_000,
        100_000,
        partial(sustained, model_delay_ms=MODEL_MS, settings=THREE | _options(TEN | {"with_checks": False})),
    ),
    Row(
        "one",
        "the first, one in a prompt",
        "conv/min",
        20_000,
        20_000,
        partial(sustained, model_delay_ms=MODEL_MS, settings=THREE),
    ),
)


def judges(plan: Plan, rounds: int, chosen: Sequence[str]) -> None:
    """Print throughput of three judges, in all rows or those that are named."""
    for row in (row for row in ROWS if not chosen or row.name in chosen):
        show(row, rounds_of(row, plan, rounds))


def in_turn(plan: Plan, rounds: int) -> None:
    """Print how much of the throughput without judges is left with three, measured in turn.

    A machine that is slower for an hour is so for both; one that changes between two rounds still spoils a share.
    """
    without, ten = _named("checks", WITHOUT_JUDGES), _named("ten", ROWS)
    pairs = [(rounds_of(without, plan, 1)[0], rounds_of(ten, plan, 1)[0]) for _ in range(rounds)]
    show(without, [first for first, _ in pairs])
    show(ten, [second for _, second in pairs])
    shares = shares_left(pairs)
    print(
        f"{'ten in a prompt, of what there is without judges':<66} {statistics.median(shares):.1%} "
        f"({min(shares):.1%} to {max(shares):.1%}; of the goals {ten.must / without.must:.1%})",
        flush=True,
    )


def shares_left(pairs: Sequence[tuple[Round, Round]]) -> list[float]:
    """Give for each pair of rounds the second's throughput as a share of the first's."""
    return [second.value / first.value for first, second in pairs]


def _named(name: str, rows: Sequence[Row]) -> Row:
    return next(row for row in rows if row.name == name)


def repeats(load: Path | None) -> None:
    """Print what is paid for that was found out before."""
    _show_repeated("the same again under new ids", uvloop.run(again(load)))
    _show_repeated("a quarter repeated, half of it but for its references", uvloop.run(planted(load)))


def _show_repeated(title: str, one: Repeated) -> None:
    fewer = 1 - one.second / one.first
    print(
        f"{title:<54} {one.first:,} calls, then {one.second:,}: {fewer:.1%} fewer "
        f"({one.conversations:,} conversations, {one.lost} lost)",
        flush=True,
    )


def faults(plan: Plan, rounds: int) -> None:
    """Print what is left with a fault."""
    for fault in FAULTS:
        kept = [uvloop.run(measure(fault, plan.seconds, plan.warm_up_seconds, plan.load)) for _ in range(rounds)]
        _show_kept(kept)


def _show_kept(kept: list[Kept]) -> None:
    shares = [one.share for one in kept]
    got, expected = (
        statistics.median(values) for values in zip(*((k.per_second, k.expected_per_second) for k in kept), strict=True)
    )
    print(
        f"{kept[0].title:<54} {statistics.median(shares):.1%} of what can be expected ({min(shares):.1%} to "
        f"{max(shares):.1%}; {got:.1f} of {expected:.1f} a second), lost {sum(k.lost for k in kept)}, "
        f"twice {sum(k.twice for k in kept)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], default=[], help="of judges")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--load", type=Path, help="conversations to send, as JSON lines")
    given = parser.parse_args()
    plan = Plan(given.seconds, given.warm_up, given.load)
    chosen = given.parts or PARTS
    if "judges" in chosen:
        judges(plan, given.rounds, given.rows)
    if "in-turn" in chosen:
        in_turn(plan, given.rounds)
    if "repeats" in chosen:
        repeats(given.load)
    if "faults" in chosen:
        faults(plan, given.rounds)


if __name__ == "__main__":
    main()
