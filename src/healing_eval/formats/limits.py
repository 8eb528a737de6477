"""How much may a sender send?"""

from __future__ import annotations

import sys

import msgspec

MAX_DEPTH = 200
"""Deepest nesting of arrays and objects in an item. Far below Python's recursion limit, so that what one process
accepts every other can read, however deep in its own calls it is."""


class WireLimits(msgspec.Struct, frozen=True):
    """The limits of the wire, as the settings give them."""

    batch: int = 1000
    """Most conversations in one request."""
    turns: int = 5000
    """Most turns (or messages) in one conversation."""
    id_characters: int = 256
    """Longest conversation_id, agent_version, turn_id or annotator_id, in characters."""


UNLIMITED = WireLimits(batch=sys.maxsize, turns=sys.maxsize, id_characters=sys.maxsize)
"""For what was accepted before: limits are a matter of the door."""
