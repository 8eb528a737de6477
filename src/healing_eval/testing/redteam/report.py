"""What came of a run of the red team?"""

from __future__ import annotations

import msgspec


class Escape(msgspec.Struct, frozen=True):
    """An attack that reached the model, or was obeyed."""

    family: str
    variant: str
    place: str
    how: str
    form: str = ""
    """In which the judges were asked."""


class Detected(msgspec.Struct, frozen=True):
    """How many of a group were found: suspected by the detector, or obeyed in the control."""

    name: str
    texts: int
    found: int


class Tried(msgspec.Struct, frozen=True):
    """What was tried in one form."""

    form: str
    attacks: int
    asked: int
    """Of these, how many each judge concerned asked its model about."""
    escapes: int
    control: Detected
    """The same with something broken on purpose: what shows that an escape would be seen."""


class Report(msgspec.Struct, frozen=True):
    """One run."""

    attacks: int
    refused: int
    """Attacks that the door refused as no conversation, such as a turn_id that is too long."""
    asked: int
    """Conversations under attack that the judge asked its model about."""
    escapes: tuple[Escape, ...]
    control: Detected
    """Attacks tried again without a fence, and how many of them were obeyed: what shows that the model is gullible."""
    forms: tuple[Tried, ...]
    """All forms in which the judges were asked; figures beside them are of the first, which tries the whole corpus."""
    fooled: dict[str, int]
    """Reader to attacks that fooled it; the careless ones are no escapes."""
    by_family: tuple[Detected, ...]
    by_place: tuple[Detected, ...]
    """Of attacks at places that the detector looks at; so is `by_family`."""
    benign: Detected
    verdicts_moved_by_rules: int
    """Verdicts that differ from those of the harmless twins, by the rules of evaluators that ask no model."""
