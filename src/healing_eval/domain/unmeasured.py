"""Why was a conversation not measured though it could have been, so that it can be made up for?

The reason of an abstention is a text for people; these beginnings are what stores and commands tell them by.
"""

from __future__ import annotations

from typing import Literal

Why = Literal["budget", "failed", "no-model"]
"""A budget did not allow it; the evaluator broke, as when its model did not answer; there was no model for it."""

OF_BUDGET = "not measured: budget "
"""What an abstention for the sake of a budget begins with."""
OF_NO_MODEL = "not measured: no model"
"""What an abstention for the lack of a model begins with."""
