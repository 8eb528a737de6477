"""How fast is the production path, on real servers that all share this machine?

    .venv/bin/python -m bench.production [ROW …] [--rounds 3] [--seconds 60] [--warm-up 10] [--load FILE] [--json FILE]

Every round has a new PostgreSQL and a new Redis at default durability, `serve` and `work` in processes of their own,
and ids nobody has used. Figures are medians; beside them the CPU milliseconds a conversation took, by part, and how
fast the machine was (bench.yardstick).
"""

from __future__ import annotations

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path

import msgspec
import uvloop

from bench.production.rows import Plan, Round, Row, idle, ingest, sustained
from bench.yardstick import beside

ROWS = (
    Row(
        "ingest-100",
        "ingest, batch 100, 8 connections",
        "conv/s",
        8_000,
        12_000,
        partial(ingest, batch=100, connections=8),
    ),
    Row(
        "ingest-1", "ingest, batch 1, 32 connections", "conv/s", 3_500, 6_000, partial(ingest, batch=1, connections=32)
    ),
    Row("checks", "posted to verdict, three deterministic evaluators", "conv/min", 100_000, 200_000, sustained),
    Row(
        "judge",
        "the same and a judge that answers at once",
        "conv/min",
        70_000,
        120_000,
        partial(sustained, model_delay_ms=0),
    ),
    Row(
        "judge-800",
        "the same, the judge takes 800 ms",
        "conv/min",
        20_000,
        40_000,
        partial(sustained, model_delay_ms=800),
    ),
    Row("idle", "post to verdict, idle, 95th percentile", "ms", 50, 15, idle, less_is_better=True),
)


def rounds_of(row: Row, plan: Plan, count: int) -> list[Round]:
    """Measure a row so many times."""
    return [beside(lambda: uvloop.run(row.measure(plan))) for _ in range(count)]


def show(row: Row, rounds: list[Round]) -> None:
    value = statistics.median(one.value for one in rounds)
    reached = value <= row.must if row.less_is_better else value >= row.must
    spread = f"{min(one.value for one in rounds):,.1f} to {max(one.value for one in rounds):,.1f}"
    print(
        f"{row.title:<52} {value:>11,.1f} {row.unit:<9} ({spread}; must {row.must:,.0f}"
        f"{'' if reached else ', NOT REACHED'}, aim {row.aim:,.0f})"
    )
    for name, values in (
        ("CPU ms each", _medians([one.cpu_ms for one in rounds])),
        ("notes", _medians([one.notes for one in rounds])),
    ):
        if values:
            print(f"    {name}: {', '.join(f'{part} {value:,.3f}' for part, value in values.items())}", flush=True)


def _medians(tables: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: statistics.median(table.get(name, 0.0) for table in tables) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[[], *(row.name for row in ROWS)], metavar="ROW")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--load", type=Path, help="conversations to send, as JSON lines")
    parser.add_argument("--json", type=Path, help="write every round there")
    given = parser.parse_args()
    plan = Plan(given.seconds, given.warm_up, given.load)
    found: dict[str, list[Round]] = {}
    for row in ROWS:
        if given.rows and row.name not in given.rows:
            continue
        found[row.name] = rounds_of(row, plan, given.rounds)
        show(row, found[row.name])
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
        print(f"every round: {given.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
