from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from healing_eval.backends.archive.file import FileArchive, pack
from healing_eval.errors import BackendError, ConfigError
from healing_eval.testing.contract_archive import a_part, given, some_rows


@pytest.mark.parametrize("url", ["file://folder/x", "file:relative", "file:///", "file://", "file:///a%00b"])
def test_an_address_that_is_no_folder_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"archive_url.*file:///folder"):
        FileArchive.from_url(url)


async def test_a_part_is_one_file_of_json_lines_that_is_for_its_owner_alone(tmp_path: Path) -> None:
    archive = FileArchive.from_url(f"file://{tmp_path}/old")

    place = await archive.keep(a_part(2), given(some_rows(2)))

    path = tmp_path / "old/2031-01/revisions-2-5f0c9a1e.jsonl.gz"
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert place == str(path)
    assert [line["revision"] for line in lines] == [0, 1]
    assert lines[0]["accepted_at"] == "2031-01-31T23:59:59.123456Z"
    assert [one.stat().st_mode & 0o77 for one in (path, path.parent, path.parent.parent)] == [0, 0, 0]


async def test_what_somebody_left_who_was_killed_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "2031-01/revisions-2-5f0c9a1e.jsonl.gz.abc.unfinished"
    left.parent.mkdir()
    left.write_bytes(b"half a file")

    await FileArchive(tmp_path).keep(a_part(2), given(some_rows(2)))

    assert [path.name for path in left.parent.iterdir()] == ["revisions-2-5f0c9a1e.jsonl.gz"]


async def test_a_failure_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(BackendError):
        await FileArchive(tmp_path).keep(a_part(3), given(some_rows(2)))

    assert list((tmp_path / "2031-01").iterdir()) == []


async def test_files_of_others_are_no_parts(tmp_path: Path) -> None:
    for name in ("2031-01/notes.txt", "2031-01/x.jsonl.gz", "pictures/revisions-2-5f0c9a1e.jsonl.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert list(await FileArchive(tmp_path).parts()) == []


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BackendError, match=r"archive failed: File exists: .*file"):
        await FileArchive(tmp_path / "file").keep(a_part(1), given(some_rows(1)))


def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(BackendError, match="No space left"):
        asyncio.run(pack(full, given(some_rows(1000))))


async def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    archive = FileArchive(tmp_path)
    with Path(await archive.keep(a_part(500), given(some_rows(500)))).open("r+b") as file:  # noqa: ASYNC230
        file.truncate(200)

    with pytest.raises(BackendError, match="archive failed"):
        [row async for row in archive.rows(a_part(500))]
