"""What can be set in `[evaluators.tool_call]`?"""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The evaluator's own settings."""

    free_text_arguments: tuple[str, ...] = ()
    """More argument names whose values the agent words itself, so that they need no ground."""
    write_verbs: tuple[str, ...] = ()
    """More verbs that, in a tool's name, say that it changes something."""
