"""Where is the store's file, can it be one, and may only its owner read it?"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from healing_eval.config import Settings
from healing_eval.errors import BackendError, ConfigError

_SCHEME = "sqlite:///"
_HEADER = b"SQLite format 3\x00"


class Fault(msgspec.Struct, frozen=True):
    """Why the store's file cannot be used."""

    reason: str
    advice: str


def store_file(settings: Settings) -> Path | None:
    """Give the file of the embedded store; None when the store is another one."""
    url = settings.effective_store_url
    return Path(url.removeprefix(_SCHEME)) if url.startswith(_SCHEME) and url != _SCHEME else None


def fault_of(file: Path) -> Fault | None:
    """Look at the store's file without opening it as a database; None when it is missing or may be one."""
    try:
        with file.open("rb") as opened:
            head = opened.read(len(_HEADER))
    except FileNotFoundError:
        return None
    except OSError as error:
        return Fault(f"{file} cannot be read: {error.strerror}", f"mend that, or {_ELSEWHERE}")
    if head not in (b"", _HEADER):
        return Fault(f"{file} is no SQLite database", f"move it away, or {_ELSEWHERE}")
    if not os.access(file, os.W_OK):
        return Fault(f"{file} cannot be written to", f"make it writable, or {_ELSEWHERE}")
    return None


_ELSEWHERE = "choose another folder with --data or HEALING_EVAL_DATA_DIR"


@contextmanager
def opening_store(settings: Settings) -> Generator[None]:
    """Make the store's file and folder for the owner alone, if they are missing, and name the file if opening fails.

    They hold what people said and the hashes of keys. The mode of what exists is its owner's choice and stays.

    Raises:
        ConfigError: the file cannot be a store.
        BackendError: it does not open; with the reason and the file.
    """
    file = store_file(settings)
    if file is not None:
        fault = fault_of(file)
        if fault is not None:
            raise ConfigError(f"the store {fault.reason}; {fault.advice}")
        _make_private(file)
    try:
        yield
    except BackendError as error:
        if file is None:  # a server's error names its address and setting itself
            raise
        raise BackendError(f"the store {file} does not open: {error}") from error


def _make_private(file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise BackendError(f"the store {file} cannot be made: {error.strerror}; {_ELSEWHERE}") from error
