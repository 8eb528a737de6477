"""How many conversations does `healing-eval evaluate` get through in a second, on one core, without a model?

    HEALING_EVAL_REALDATA_DIR=… python -m bench.evaluate_speed [--rounds N] [--evaluator NAME …] [--load FILE.jsonl]

Runs the real command with JSON lines to nowhere, pinned to one core, start-up included and reported apart. Prints the
median of the rounds, and beside it the CPU time a conversation takes, which a busy machine distorts least.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import load
from bench.realdata.records import SETTING, file_of

COMMAND = str(Path(sys.executable).parent / "healing-eval")
DETERMINISTIC = ("heuristic", "tool_call", "coherence")
REPEATS_OF_REAL = 5
GENERATED = 20_000
READ_CHUNK = 1 << 20


def measure(file: Path, evaluators: Sequence[str]) -> tuple[float, float]:
    """Run the command once; returns wall and CPU seconds, start-up included."""
    command = [COMMAND, "evaluate", str(file), "--format", "json"]
    command += [part for name in evaluators for part in ("--evaluator", name)]
    core = min(os.sched_getaffinity(0))
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        check=False,
    )
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode not in (0, 3):  # 3: the empty file that measures the start-up
        raise SystemExit(done.stderr.decode())
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def report(name: str, file: Path, count: int, rounds: int, evaluators: Sequence[str]) -> None:
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as empty:
        start = statistics.median(measure(Path(empty.name), evaluators)[0] for _ in range(rounds))
    runs = [measure(file, evaluators) for _ in range(rounds)]
    wall = statistics.median(run[0] for run in runs)
    cpu = statistics.median(run[1] for run in runs)
    rates = [count / run[0] for run in runs]
    print(
        f"{name:<12} {count:>6} conversations, {file.stat().st_size / count / 1000:5.1f} kB each: "
        f"{count / wall:7.0f}/s with start-up ({min(rates):.0f} to {max(rates):.0f}), "
        f"{count / (wall - start):7.0f}/s without its {start:.2f} s; {1000 * cpu / count:.3f} CPU ms each"
    )


def unpack_repeatedly(packed: Path, out: Path) -> int:
    """Write the set several times under new ids, so that the run is long enough to measure; returns how many."""
    lines = gzip.decompress(packed.read_bytes()).splitlines()
    with out.open("wb") as file:
        for n in range(REPEATS_OF_REAL):
            file.writelines(
                line.replace(b'"conversation_id":"', f'"conversation_id":"{n}-'.encode(), 1) + b"\n" for line in lines
            )
    return len(lines) * REPEATS_OF_REAL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--evaluator", action="append")
    parser.add_argument("--load", type=Path, help="measure on these JSON lines only, one conversation each")
    given = parser.parse_args()
    evaluators = given.evaluator or DETERMINISTIC
    print(f"evaluators: {', '.join(evaluators)}; medians of {given.rounds}, one core")
    if given.load is not None:
        with given.load.open("rb") as lines:
            count = sum(1 for _ in lines)
        report(given.load.stem, given.load, count, given.rounds, evaluators)
        return
    with tempfile.TemporaryDirectory(prefix="healing-eval-bench-") as folder:
        generated = Path(folder) / "generated.jsonl"
        report("generated", generated, load.write(generated, count=GENERATED), given.rounds, evaluators)
        if not os.environ.get(SETTING):
            print(f"tau_bench    not measured: {SETTING} is not set")
            return
        unpacked = Path(folder) / "tau_bench.jsonl"
        count = unpack_repeatedly(file_of("tau_bench"), unpacked)
        report("tau_bench", unpacked, count, given.rounds, evaluators)


if __name__ == "__main__":
    main()
