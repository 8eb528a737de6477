"""Are keys made, listed and revoked, and is the secret shown only once?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from healing_eval.cli.main import main


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["keys", "--data", str(tmp_path), *arguments])

    return call


def listed(keys: Any) -> list[dict[str, Any]]:
    return msgspec.json.decode(keys("list", "--format", "json").stdout)


def test_a_new_key_is_printed_alone_and_listed_without_its_secret(keys: Any) -> None:
    made = keys("create", "--name", "ci", "--scope", "ingest", "--scope", "read", "--project", "shop")

    (line,) = listed(keys)
    text = made.stdout.strip()
    assert made.exit_code == 0
    assert text.startswith(f"he_{line['key_id']}_")
    assert (line["name"], line["project"], line["scopes"]) == ("ci", "shop", ["ingest", "read"])
    assert text.rpartition("_")[2] not in keys("list").output


def test_a_revoked_key_says_so(keys: Any) -> None:
    keys("create", "--scope", "read")
    key_id = listed(keys)[0]["key_id"]

    assert keys("revoke", key_id).exit_code == 0

    assert listed(keys)[0]["revoked_at"] is not None
    assert "revoked" in keys("list").output


def test_an_unknown_key_cannot_be_revoked(keys: Any) -> None:
    result = keys("revoke", "nobody")

    assert result.exit_code == 2
    assert "nobody" in result.stderr


def test_a_key_without_a_scope_is_refused(keys: Any) -> None:
    assert keys("create").exit_code == 2
    assert keys("create", "--scope", "everything").exit_code == 2


def test_no_keys_is_said_with_the_way_to_make_one(keys: Any) -> None:
    assert "keys create" in keys("list").output


def test_the_folder_may_be_named_after_the_verb_as_well(keys: Any, tmp_path: Path) -> None:
    folder = str(tmp_path / "other")

    made = CliRunner().invoke(main, ["keys", "create", "--data", folder, "--scope", "read"])

    found = CliRunner().invoke(main, ["keys", "list", "--data", folder, "--format", "json"])
    assert made.exit_code == found.exit_code == 0
    (line,) = msgspec.json.decode(found.stdout)
    assert CliRunner().invoke(main, ["keys", "revoke", line["key_id"], "--data", folder]).exit_code == 0
    assert listed(keys) == []


def test_a_store_that_is_none_is_named_with_what_to_do(keys: Any, tmp_path: Path) -> None:
    (tmp_path / "healing-eval.db").write_text("these are my notes")

    result = keys("list")

    assert result.exit_code == 2
    assert f"{tmp_path / 'healing-eval.db'} is no SQLite database; move it away" in result.stderr
