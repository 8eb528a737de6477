"""On which event loop does a verb run, and what does it raise when tasks of it fail?"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

from healing_eval.errors import HealingEvalError


def run_fast(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed (the extra `server` brings it), else on asyncio's own loop."""
    try:
        from uvloop import new_event_loop as factory  # noqa: PLC0415 - only servers gain from it
    except ImportError:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


@contextmanager
def groups_unwrapped() -> Generator[None]:
    """Raise what a task group wraps: the only error, or the first when all of them are ours to tell.

    Several of which some are unexpected stay together, since none of them may be hidden.
    """
    try:
        yield
    except ExceptionGroup as group:
        errors = list(_errors_in(group))
        if len(errors) == 1 or all(isinstance(error, HealingEvalError) for error in errors):
            raise errors[0] from errors[0].__cause__
        raise


def _errors_in(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _errors_in(cast("ExceptionGroup[Exception]", error))
        else:
            yield error
