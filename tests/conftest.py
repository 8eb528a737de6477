"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logging_as_at_the_start() -> Iterator[None]:
    """Undo what a test configured: commands that run in-process set the level for the whole process."""
    yield
    structlog.reset_defaults()
