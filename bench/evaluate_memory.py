"""How much memory does `healing-eval evaluate` need for a long file?

    python -m bench.evaluate_memory [--megabytes 1000] [--format table|json] [--one-line] [--evaluator NAME …]

Writes a load of the given size into a temporary folder, evaluates it with the real command, and prints the peak
resident memory as the kernel saw it. `--one-line` makes the file a single array on one line.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import load

COMMAND = str(Path(sys.executable).parent / "healing-eval")
DETERMINISTIC = ("heuristic", "tool_call", "coherence")


def as_one_line(lines: Path, out: Path) -> None:
    """Write JSON lines as one array without a line break."""
    with lines.open("rb") as source, out.open("wb") as target:
        before = b"["
        for line in source:
            target.write(before + line.rstrip())
            before = b","
        target.write(b"]")
    lines.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--format", choices=("table", "json"), default="json")
    parser.add_argument("--one-line", action="store_true")
    parser.add_argument("--evaluator", action="append")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="healing-eval-bench-") as folder:
        file = Path(folder) / "load.jsonl"
        count = load.write(file, size=given.megabytes * 1_000_000)
        if given.one_line:
            as_one_line(file, file.with_suffix(".json"))
            file = file.with_suffix(".json")
        command = [COMMAND, "evaluate", str(file), "--format", given.format]
        command += [part for name in given.evaluator or DETERMINISTIC for part in ("--evaluator", name)]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        told = process.stderr.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    print(f"{count} conversations, {given.megabytes} MB, exit code {os.waitstatus_to_exitcode(status)}")
    print(f"peak resident memory {used.ru_maxrss * 1024 / 1e6:.0f} MB; {seconds:.0f} s, {count / seconds:.0f}/s")
    print(told.strip()[-500:])


if __name__ == "__main__":
    main()
