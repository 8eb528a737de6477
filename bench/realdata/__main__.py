"""Print the table of docs/reference/real-data.md.

usage: HEALING_EVAL_REALDATA_DIR=FOLDER python -m bench.realdata [PART …]      (all parts without a name)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from bench.realdata import calls, contradictions, failure, frustration, grounding
from bench.realdata.rows import Row, markdown

PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "grounding": grounding.rows,
    "calls": calls.rows,
    "frustration": frustration.rows,
    "contradictions": contradictions.rows,
    "failure": failure.rows,
}


def main() -> None:
    named = sys.argv[1:] or list(PARTS)
    unknown = [name for name in named if name not in PARTS]
    if unknown:
        sys.exit(f"no part {unknown[0]!r}; known: {', '.join(PARTS)}")
    print(markdown(row for name in named for row in PARTS[name]()), end="")


if __name__ == "__main__":
    main()
