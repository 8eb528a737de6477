"""What did the headers of a request say?"""

from __future__ import annotations

from typing import TypeVar

from litestar.types import HTTPScope

Default = TypeVar("Default")


class Headers:
    """Looks headers up by their names in lower case; of several of one name the last counts."""

    def __init__(self, scope: HTTPScope) -> None:
        """Take the request."""
        self._raw = dict(scope["headers"])

    def get(self, name: bytes, default: Default) -> str | Default:
        """Give what a header said, or the default."""
        value = self._raw.get(name)
        return default if value is None else value.decode("latin-1")
