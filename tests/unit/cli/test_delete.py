"""Does everything of a conversation or a project go, and nothing else?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.cli.main import main
from healing_eval.domain.conversation import conversation_key, key_to_text
from healing_eval.testing.builders import a_conversation, a_submission


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--data", str(tmp_path)])

    return call


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/healing-eval.db"


def store(url: str, *names: str, project: str = "default") -> None:
    async def add() -> None:
        ledger = SqliteLedger(url)
        await ledger.open()
        made = [a_submission(a_conversation(name, project=project), project=project) for name in names]
        await ledger.add(made, ["checks"])
        await ledger.close()

    asyncio.run(add())


def stored(url: str, project: str, names: Sequence[str]) -> list[str]:
    async def look() -> list[str]:
        ledger = SqliteLedger(url)
        found = [name for name in names if await ledger.find(project, name) is not None]
        await ledger.close()
        return found

    return asyncio.run(look())


def test_conversations_go_by_id_and_by_key_and_others_stay(run: Any, ledger_url: str) -> None:
    store(ledger_url, "a", "b", "c")

    result = run("delete", "conversation", "a", key_to_text(conversation_key("default", "b")))

    assert (result.exit_code, result.stdout) == (0, "2 conversations deleted\n")
    assert stored(ledger_url, "default", "abc") == ["c"]


def test_an_unknown_one_is_named_and_the_others_go_all_the_same(run: Any, ledger_url: str) -> None:
    store(ledger_url, "a")
    store(ledger_url, "b", project="shop")

    result = run("delete", "conversation", "b", "a", "x\x1b[2J", "--format", "json")

    assert result.exit_code == 2
    assert msgspec.json.decode(result.stdout) == {"conversations": 1, "revoked_keys": 0}
    assert result.stderr.startswith("error: no conversation 'b', 'x\ufffd[2J' in the project 'default'")
    assert stored(ledger_url, "shop", "b") == ["b"]
    assert run("delete", "conversation", "a").exit_code == 2


def test_a_project_goes_with_all_its_conversations_and_its_keys_are_revoked(run: Any, ledger_url: str) -> None:
    names = [f"c-{number}" for number in range(230)]
    store(ledger_url, *names, project="shop")
    store(ledger_url, "other")
    for project in ("shop", "default"):
        run("keys", "create", "--scope", "read", "--project", project)

    result = run("delete", "project", "shop", "--yes")

    listed = msgspec.json.decode(run("keys", "list", "--format", "json").stdout)
    keys = {key["project"]: key["revoked_at"] for key in listed}
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "230 conversations deleted",
        "1 API key revoked; a running server refuses it within half a minute",
    ]
    assert stored(ledger_url, "shop", names) == []
    assert stored(ledger_url, "default", ["other"]) == ["other"]
    assert keys["shop"] is not None
    assert keys["default"] is None
    assert run("delete", "project", "shop", "--yes").exit_code == 2


def test_keys_can_be_kept(run: Any, ledger_url: str) -> None:
    store(ledger_url, "c-1", project="shop")
    run("keys", "create", "--scope", "read", "--project", "shop")

    run("delete", "project", "shop", "--yes", "--keep-keys")

    (key,) = msgspec.json.decode(run("keys", "list", "--format", "json").stdout)
    assert key["revoked_at"] is None
    assert stored(ledger_url, "shop", ["c-1"]) == []


def test_without_yes_nothing_goes(run: Any, ledger_url: str) -> None:
    store(ledger_url, "c-1", project="shop")

    result = run("delete", "project", "shop")

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert stored(ledger_url, "shop", ["c-1"]) == ["c-1"]


def test_a_project_that_is_not_there_is_said(run: Any) -> None:
    result = run("delete", "project", "nowhere", "--yes")

    assert result.exit_code == 2
    assert "no project 'nowhere'" in result.stderr
