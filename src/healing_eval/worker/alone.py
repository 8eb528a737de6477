"""Who else works on this store?

An embedded store has workers in one process only: a second process would have every conversation judged again, and the
judge paid twice. Whoever works holds a lock on a file beside the store. The kernel lets go of it when the process ends,
however it ends, so there is never a stale lock to remove.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from healing_eval.errors import BackendError, ConfigError

SCHEME = "sqlite:///"
"""Stores with this scheme are embedded; servers are made for many."""
LOCK_FILE = "healing-eval.lock"


@contextmanager
def working_alone(store_url: str) -> Generator[None]:
    """Be the only process that works on an embedded store, for as long as the block lasts.

    Raises:
        ConfigError: another process works on it; the message names the folder and the process.
        BackendError: the folder cannot be written to.
    """
    if not store_url.startswith(SCHEME):
        yield
        return
    folder = Path(store_url.removeprefix(SCHEME)).parent
    lock = _open(folder)
    try:
        _take(lock, folder)
        yield
    finally:
        os.close(lock)


def _open(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackendError(f"the folder {str(folder)!r} cannot be used: {error.strerror}") from error


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise ConfigError(
            f"the folder {str(folder)!r} is in use by another Healing Eval, process {holder};"
            " stop that one, or choose another folder with --data"
        ) from None
    except OSError as error:
        raise BackendError(f"the folder {str(folder)!r} cannot be locked: {error.strerror}") from error
    with suppress(OSError):  # a full disk costs the others only the number of our process
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
