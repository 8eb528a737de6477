"""How does an answer get out, and what if it cannot?

Everything on standard output goes through here or through the console of `styles`, so that a full disk is told from
every other fault. A reader that went away is no fault: BrokenPipeError passes, and the door ends quietly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

import click


class CannotWrite(Exception):
    """Standard output takes no more; says why."""


def echo(text: str | bytes) -> None:
    """Write a line to standard output.

    Raises:
        CannotWrite: it takes no more.
        BrokenPipeError: nobody reads it any more.
    """
    with writing():
        click.echo(text)


@contextmanager
def writing() -> Generator[None]:
    """Tell that what fails in this block is the output; nothing but writing may stand in it.

    Raises:
        CannotWrite: it takes no more.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(error.strerror or str(error)) from error


def forget_stdout() -> None:
    """Keep the interpreter from complaining when it flushes what nobody takes any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):  # standard output is no file, or closed
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
