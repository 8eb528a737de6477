"""Which real conversations are there, and what is their truth?"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from healing_eval.domain.conversation import Conversation
from healing_eval.errors import InvalidInput
from healing_eval.formats.item import read_local_item
from healing_eval.formats.limits import UNLIMITED

SETTING = "HEALING_EVAL_REALDATA_DIR"

SHOWN = ("conversation_id", "agent_version", "turns", "tools", "system_prompt", "complete")
"""What an evaluator may see. Metadata (with the ground truth) and feedback are cut off before an item is read."""


class Record(NamedTuple):
    """A conversation as the evaluators see it, and what they do not see."""

    conversation: Conversation
    truth: dict[str, Any]
    annotations: Sequence[dict[str, Any]]

    @property
    def failed(self) -> bool | None:
        """The common target; None where a set has none."""
        failed = self.truth.get("failed")
        return None if failed is None else bool(failed)


def folder() -> Path:
    """Find the data, or end with a clear word."""
    named = os.environ.get(SETTING)
    if not named:
        sys.exit(f"{SETTING} is not set; it must name the folder of real conversations")
    if not Path(named).is_dir():
        sys.exit(f"{SETTING} names {named!r}, which is no folder")
    return Path(named)


def file_of(name: str) -> Path:
    """Find a set's file, or end with a clear word."""
    file = folder() / f"{name}.jsonl.gz"
    if not file.is_file():
        sys.exit(f"{SETTING} names {str(folder())!r}, which holds no {file.name}")
    return file


@lru_cache(maxsize=2)
def records(name: str) -> tuple[Record, ...]:
    """Read a set; items that the API would refuse (no turns) are left out."""
    return tuple(_records(name))


def _records(name: str) -> Iterator[Record]:
    with gzip.open(file_of(name)) as lines:
        for line in lines:
            raw: dict[str, Any] = msgspec.json.decode(line)
            item = {key: raw[key] for key in SHOWN if raw.get(key) is not None}
            if raw.get("policy"):
                item.setdefault("system_prompt", raw["policy"])
            try:
                read = read_local_item(msgspec.json.encode(item), project="bench", limits=UNLIMITED)
            except InvalidInput:
                continue
            annotations = (raw.get("feedback") or {}).get("annotations") or []
            yield Record(read.conversation, raw["metadata"].get("ground_truth") or {}, annotations)
