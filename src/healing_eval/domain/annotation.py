"""What did people say about a conversation?"""

from __future__ import annotations

from datetime import datetime

import msgspec

from healing_eval.domain.conversation import TurnId

USER_RATING = "user_rating"
OPS_QUALITY = "ops_quality"


class Annotation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One person's verdict on one question, append-only.

    A user's rating is the annotation `user_rating` by the annotator "user"; an operator's review is `ops_quality` by
    the annotator "ops", with the notes.
    """

    type: str
    """The question, such as "helpfulness" or the name of an issue type."""
    label: str | int | float | bool
    annotator_id: str
    turn_id: TurnId | None = None
    confidence: float | None = None
    """In [0, 1], as the annotator gave it."""
    notes: str | None = None
    created_at: datetime | None = None
    """Set when it is stored."""
