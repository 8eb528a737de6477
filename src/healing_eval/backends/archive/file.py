"""Where do old months go when all there is, is a folder?

`file:///folder` gets one folder for each month, and in it one file for each part: JSON lines, compressed by gzip, such
as `2031-01/revisions-20000-5f0c9a1e.jsonl.gz`. A file is written under another name, synced to the disk and renamed, so
what has its name is whole.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from healing_eval.domain.month import Month
from healing_eval.errors import BackendError, ConfigError
from healing_eval.ports.archive import Part, Row

T = TypeVar("T")

LINES = 200
"""Rows written or read at once."""
LEVEL = 6
"""Of compression: gzip's own default."""
GZIP = 31
"""Tells zlib to write gzip's format, with the largest window."""

_NAME = re.compile(r"(\w+)-(\d+)-(\w+)\.jsonl\.gz")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_UNFINISHED = ".unfinished"


class FileArchive:
    """An `Archive` in a folder: `file:///folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def from_url(cls, url: str) -> Self:
        read = urlsplit(url)
        folder = Path(unquote(read.path))
        if read.netloc or not folder.is_absolute() or folder == Path("/") or "\0" in str(folder):
            raise ConfigError(f"setting 'archive_url' must be file:///folder with a whole path, got {url!r}")
        return cls(folder)

    async def keep(self, part: Part, rows: AsyncIterator[Row]) -> str:
        path = self._path(part)
        if not await _aside(path.exists):
            await self._write(path, part, rows)
        return str(path)

    async def _write(self, path: Path, part: Part, rows: AsyncIterator[Row]) -> None:
        unfinished = await _aside(_begin, path)
        try:
            written = await pack(unfinished, rows)
            if written != part.rows:
                raise BackendError(
                    f"{part.table} of {part.month} changed while it was archived: {written} rows, not {part.rows}"
                )
            await _aside(_finish, unfinished, path)
        finally:
            await _aside(_let_go, unfinished)

    async def parts(self) -> Sequence[Part]:
        return await _aside(lambda: sorted(self._found()))

    def _found(self) -> Generator[Part]:
        for path in self._folder.glob("*/*.jsonl.gz"):
            month, name = _MONTH.fullmatch(path.parent.name), _NAME.fullmatch(path.name)
            if month and name:
                yield Part(Month(int(month[1]), int(month[2])), name[1], int(name[2]), name[3])

    async def rows(self, part: Part) -> AsyncIterator[Row]:
        packed = await _aside(gzip.open, self._path(part), "rb")
        try:
            while lines := await _aside(lambda: list(islice(packed, LINES))):
                for line in lines:
                    yield msgspec.json.decode(line)
        finally:
            packed.close()

    async def close(self) -> None:
        """Nothing is held."""

    def _path(self, part: Part) -> Path:
        return self._folder / str(part.month) / f"{part.table}-{part.rows}-{part.mark}.jsonl.gz"


async def pack(file: IO[bytes], rows: AsyncIterator[Row]) -> int:
    """Write rows as compressed lines; tells how many.

    Raises:
        BackendError: the file takes no more.
    """
    written = 0
    lines: list[bytes] = []
    packer = zlib.compressobj(LEVEL, wbits=GZIP)

    def append() -> int:
        file.write(packer.compress(b"".join(lines)))
        return len(lines)

    async for row in rows:
        lines.append(msgspec.json.encode(row) + b"\n")
        if len(lines) == LINES:
            written += await _aside(append)
            lines.clear()
    written += await _aside(append)
    await _aside(lambda: file.write(packer.flush()))
    return written


async def _aside(work: Callable[..., T], *arguments: Any) -> T:
    """Work on files in a thread, so that nobody waits for the disk."""
    with _disk_errors_translated():
        return await asyncio.to_thread(work, *arguments)


@contextmanager
def _disk_errors_translated() -> Generator[None]:
    try:
        yield
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        name = getattr(error, "filename", None)
        raise BackendError(f"the archive failed: {reason}" + (f": {name}" if name else "")) from error


def _begin(path: Path) -> IO[bytes]:
    for folder in (path.parent.parent, path.parent):  # for the owner alone: it is what people said
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.*{_UNFINISHED}"):  # by somebody who was killed
        left.unlink(missing_ok=True)
    return NamedTemporaryFile("w+b", dir=path.parent, prefix=f"{path.name}.", suffix=_UNFINISHED, delete=False)


def _finish(unfinished: IO[bytes], path: Path) -> None:
    """Give the file its name, for good: the file, the folder it is in and the one above reach the disk."""
    unfinished.flush()
    os.fsync(unfinished.fileno())
    Path(unfinished.name).replace(path)
    for folder in (path.parent, path.parent.parent):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _let_go(unfinished: IO[bytes]) -> None:
    """Close the file; whatever has not got its name by now is of no use."""
    unfinished.close()
    Path(unfinished.name).unlink(missing_ok=True)
