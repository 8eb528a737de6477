"""How do the samples become a file? `python -m healing_eval.testing.samples > samples.jsonl`."""

from __future__ import annotations

import sys

import msgspec

from healing_eval.testing.samples.collection import sample_conversations


def main() -> None:
    """Write the samples to standard output, one JSON object a line."""
    for conversation in sample_conversations():
        sys.stdout.buffer.write(msgspec.json.encode(conversation) + b"\n")


if __name__ == "__main__":
    main()
