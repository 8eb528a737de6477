"""Print the tables of docs/reference/judges.md.

usage: HEALING_EVAL_REALDATA_DIR=FOLDER python -m bench.judges [--splits 500] [--labels 100]

Each split draws the labelled items anew, fits every way on them and tests it on all the others; shown are the mean and
the standard deviation over the splits. The splits overlap, so that the latter is no standard error of the former.
"""

from __future__ import annotations

import argparse

from bench.judges.measure import measure
from bench.judges.sets import sets
from bench.judges.table import lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Are several judges better than one, and at what price?")
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--labels", type=int, default=100, help="how many items of known truth may be learnt from")
    chosen = parser.parse_args()
    for judges in sets():
        print("\n".join(lines(judges, measure(judges, chosen.splits, chosen.labels))), flush=True)


if __name__ == "__main__":
    main()
