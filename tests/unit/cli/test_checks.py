"""Does the doctor find what is wrong, and say what to do?"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from healing_eval.cli.checks import (
    check_clock,
    check_data_dir,
    check_model,
    check_port,
    check_price,
    check_python,
    check_store,
    faults_among,
)
from healing_eval.cli.plugins import PluginLine
from healing_eval.config import Settings
from healing_eval.sections import JudgeSettings


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_an_old_python_fails() -> None:
    assert check_python((3, 10, 9)).status == "fail"
    assert check_python().status == "ok"


def test_a_clock_in_the_past_fails() -> None:
    assert check_clock(datetime(1970, 1, 1, tzinfo=UTC)).status == "fail"
    assert check_clock(datetime(2031, 1, 1, tzinfo=UTC)).status == "ok"


def test_a_data_folder_that_does_not_exist_yet_is_fine_and_is_not_made(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "down"

    assert check_data_dir(wanted).status == "ok"
    assert not (tmp_path / "deep").exists()


def test_a_file_in_place_of_the_data_folder_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = check_data_dir(tmp_path / "file")

    assert found.status == "fail"
    assert "HEALING_EVAL_DATA_DIR" in found.advice


def test_a_port_in_use_is_a_warning_with_a_way_out(taken_port: int) -> None:
    found = check_port("127.0.0.1", taken_port)

    assert found.status == "warn"
    assert "--port" in found.advice
    assert check_port("127.0.0.1", 0).status == "ok"


def test_the_store_is_tried_out_and_nothing_of_it_stays(tmp_path: Path) -> None:
    found = check_store(Settings(data_dir=tmp_path))

    assert (found.status, found.detail) == ("ok", "SQLite works here, with a write-ahead log")
    assert list(tmp_path.iterdir()) == []


async def test_no_model_is_a_warning_that_says_how_to_get_a_judge() -> None:
    found = await check_model(Settings(), online=False)

    assert found.status == "warn"
    assert "HEALING_EVAL_JUDGE__MODEL" in found.advice


async def test_a_model_of_an_unknown_provider_fails() -> None:
    found = await check_model(Settings(judge=JudgeSettings(model="nobody:x")), online=False)

    assert found.status == "fail"
    assert "nobody" in found.detail


@pytest.mark.parametrize(
    ("urls", "failed"),
    [
        ({}, []),
        ({"stream_url": "redis://localhost"}, ["redis"]),
        ({"store_url": "postgresql://localhost/x"}, ["postgresql"]),
        ({"cache_url": "postgresql://localhost/x"}, []),
        ({"cache_url": "sqlite:///x.db"}, ["sqlite"]),
    ],
)
def test_what_needs_an_extra_of_its_own_fails_only_where_it_is_asked_for(
    urls: dict[str, Any], failed: list[str]
) -> None:
    broken = [
        PluginLine(group, name, "nowhere:Nothing", "healing-eval", error="no module")
        for group, name in (
            ("healing_eval.stream", "redis"),
            ("healing_eval.ledger", "postgresql"),
            ("healing_eval.cache", "sqlite"),
        )
    ]

    counted = faults_among(broken, Settings(**urls))

    assert [line.name for line in counted] == failed


@pytest.mark.parametrize(("model", "status"), [("openai:gpt-4o-mini", "ok"), ("openai:gpt-99", "warn")])
def test_it_is_told_whether_a_models_cost_will_be_known(
    model: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    found = check_price(Settings(judge=JudgeSettings(model=model)))

    assert found.status == status
    assert model in found.detail
    assert (f'set [prices."{model}"]' in found.advice) == (status == "warn")


def test_a_missing_extra_is_the_advice_where_no_price_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    found = check_price(Settings(judge=JudgeSettings(model="openai:gpt-4o-mini")))

    assert found.status == "warn"
    assert "healing-eval[prices]" in found.advice
