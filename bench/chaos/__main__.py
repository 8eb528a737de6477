"""Break every part on purpose, and count what is lost.

    .venv/bin/python -m bench.chaos [--only NAME …] [--rounds 20] [--json FILE] [--list]

Each row has a site of its own: a durable PostgreSQL, Redis, a model, two processes of `serve` and two of `work`, and a
client that posts 100 conversations a second and posts again what got no 202. Exits 1 when a count is not zero, or a
row could not be run.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from bench.chaos import table
from bench.chaos.fault import Fault, Row, measure
from bench.chaos.faults import clocks, hosts, messages, models, network, processes, servers
from healing_eval.testing.servers.process import MissingServer

FAULTS: tuple[Fault, ...] = (
    *processes.FAULTS,
    *servers.FAULTS,
    *network.FAULTS,
    *messages.FAULTS,
    *hosts.FAULTS,
    *clocks.FAULTS,
    *models.FAULTS,
)


def _chosen(names: list[str]) -> list[Fault]:
    """Take the faults whose names begin with one of these; all if there are none."""
    return [fault for fault in FAULTS if not names or fault.name.startswith(tuple(names))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows whose names begin like this")
    parser.add_argument("--rounds", type=int, default=20, help="kills in a row of kills (20)")
    parser.add_argument("--json", type=Path, help="write the table there as well")
    parser.add_argument("--list", action="store_true", help="name the rows")
    given = parser.parse_args()
    faults = _chosen(given.only)
    if given.list or not faults:
        print("\n".join(f"{fault.name:<20} {fault.title}" for fault in (faults or FAULTS)))
        return 0 if faults else 2
    started = time.monotonic()
    rows: list[Row] = []
    print(table.HEAD, flush=True)
    not_run = 0
    for fault in faults:
        try:
            rows.append(measure(fault, given.rounds, lambda what: print(what, file=sys.stderr, flush=True)))
        except MissingServer as error:
            not_run += 1
            print(f"{fault.title:<58} NOT RUN: {error}", flush=True)
            continue
        print(table.line(rows[-1]), flush=True)
        if given.json:  # after each row, since somebody may interrupt a long run
            given.json.write_bytes(msgspec.json.format(msgspec.json.encode(table.document(rows)), indent=1))
    print(table.foot(rows, time.monotonic() - started))
    return 0 if all(row.is_good for row in rows) and not not_run else 1


if __name__ == "__main__":
    sys.exit(main())
