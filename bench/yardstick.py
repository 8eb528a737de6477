"""How fast is this machine just now? A fixed piece of work, done on all cores at once.

    .venv/bin/python -m bench.yardstick

What it takes is told beside each figure: where the machine has busy neighbours, the same code is slower, and the CPU
time it is charged grows with that. It says whether two hours can be compared. How far figures follow it is not
measured.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from bench.production.rows import Round

PIECES = 40
PIECE = 400
"""Texts in one piece: some 20 ms."""
_TEXT = "The flight BA-1234 on 2026-03-01 costs 420.50 EUR, said the agent; the user had asked for less. " * 4
_WORD = re.compile(r"[A-Za-z]+|\d+(?:[.-]\d+)*")


def measure() -> float:
    """Give what a piece takes, in milliseconds, while every core does the same: the mean of their medians."""
    cores = [
        subprocess.Popen([sys.executable, "-m", "bench.yardstick", "--one"], stdout=subprocess.PIPE, text=True)
        for _ in os.sched_getaffinity(0)
    ]
    printed = [core.communicate()[0] for core in cores]
    return statistics.mean(map(float, printed))


def beside(round_of: Callable[[], Round]) -> Round:
    """Measure a round, and note the yardstick's mean before and after it."""
    before = measure()
    measured = round_of()
    measured.notes["yardstick_ms"] = (before + measure()) / 2
    return measured


def one_core() -> float:
    """Do the pieces one after the other, and give their median, in milliseconds."""
    return statistics.median(_timed_piece() for _ in range(PIECES))


def _timed_piece() -> float:
    started = time.perf_counter()
    for number in range(PIECE):
        words = _WORD.findall(_TEXT)
        counts: dict[str, int] = {}
        for word in words:
            counts[word] = counts.get(word, 0) + len(word)
        again = json.loads(json.dumps({"number": number, "words": words, "counts": counts}))
        if sum(again["counts"].values()) != sum(map(len, words)):
            raise AssertionError("this machine cannot count")
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    print(one_core() if "--one" in sys.argv else f"{measure():.1f} ms a piece")
