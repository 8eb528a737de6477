"""On which event loop does a verb run?"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def run_fast(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed (the extra `server` brings it), else on asyncio's own loop."""
    try:
        from uvloop import new_event_loop as factory  # noqa: PLC0415 - only servers gain from it
    except ImportError:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
