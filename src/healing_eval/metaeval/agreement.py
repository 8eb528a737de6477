"""How far do people agree?"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import msgspec

from healing_eval.metaeval.intervals import Interval, wilson_interval


class Agreement(msgspec.Struct, frozen=True):
    """How often all people who answered a question about an item said the same."""

    question: str
    share: Interval
    """Not corrected for chance; `n` is the number of items that two people or more answered."""


def raw_agreement(question: str, labels_by_item: Iterable[Mapping[str, Hashable]]) -> Agreement | None:
    """Measure the share of items on which all people gave the same label.

    Args:
        question: what was asked, such as "helpfulness".
        labels_by_item: per item, annotator to label; items with fewer than two annotators are left out.

    Returns:
        The share with its 95 % Wilson interval; None when no item has two labels.
    """
    unanimous = [len(set(labels.values())) == 1 for labels in labels_by_item if len(labels) > 1]
    share = wilson_interval(sum(unanimous), len(unanimous))
    return None if share is None else Agreement(question, share)
