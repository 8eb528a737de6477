"""Does the doctor find what is wrong, and say what to do?"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from healing_eval.cli.checks import (
    check_clock,
    check_data_dir,
    check_port,
    check_python,
    check_store,
    faults_among,
)
from healing_eval.cli.model_checks import check_models, check_price_table
from healing_eval.cli.plugins import PluginLine
from healing_eval.config import Settings
from healing_eval.sections import JudgeSettings
from healing_eval.testing.fake_model import FakeModel

NOBODY = "http://127.0.0.1:9/v1"
"""Where nobody listens."""


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
    [found] = await check_models(Settings(), online=False)

    assert found.status == "warn"
    assert "HEALING_EVAL_JUDGE__MODEL" in found.advice


async def test_a_model_of_an_unknown_provider_fails() -> None:
    found, *_ = await check_models(Settings(judge=JudgeSettings(model="nobody:x")), online=False)

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
async def test_it_is_told_whether_a_models_cost_will_be_known(
    model: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    _, found, *_ = await check_models(Settings(judge=JudgeSettings(model=model)), online=False)

    assert found.status == status
    assert model in found.detail
    assert (f'set [prices."{model}"]' in found.advice) == (status == "warn")


async def test_a_missing_extra_is_the_advice_where_no_price_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    _, found = await check_models(Settings(judge=JudgeSettings(model="openai:gpt-4o-mini")), online=False)

    assert found.status == "warn"
    assert "healing-eval[prices]" in found.advice


@pytest.fixture
def deployments(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KEY_EU", "eu")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return Settings.model_validate(
        {
            "judge": {"model": "cheap"},
            "deployments": {
                "eu": {"model": "openai:gpt-4o-mini", "pool": "cheap", "key_variable": "KEY_EU", "region": "eu"},
                "us": {"model": "openai:gpt-4o-mini", "pool": "cheap"},
            },
        }
    )


async def test_each_deployment_is_looked_at_by_itself(deployments: Settings) -> None:
    checks = {check.name: check for check in await check_models(deployments, online=False)}

    assert checks["deployment eu"].status == "ok"
    assert "openai:gpt-4o-mini in eu" in checks["deployment eu"].detail
    assert checks["price of eu"].status == "ok"
    assert checks["deployment us"].status == "fail"
    assert "deployments.us: OPENAI_API_KEY is not set" in checks["deployment us"].detail


@pytest.mark.usefixtures("deployments")
async def test_each_deployment_is_asked_once_and_what_is_wrong_comes_with_what_to_do() -> None:
    async with FakeModel() as good, FakeModel(mode="401") as revoked, FakeModel(mode="404") as unknown:
        urls = {"good": good.base_url, "revoked": revoked.base_url, "unknown": unknown.base_url, "gone": NOBODY}
        sites = {
            name: {"model": "openai:fake", "url": url, "key_variable": "KEY_EU", "pool": "cheap"}
            for name, url in urls.items()
        }
        asked = Settings.model_validate({"judge": {"model": "cheap"}, "deployments": sites})
        checks = {check.name: check for check in await check_models(asked, online=True)}
        counts = [good.requests, revoked.requests, unknown.requests]

    assert counts == [1, 1, 1]
    assert checks["deployment good"].status == "ok"
    assert "fake-1 answers after" in checks["deployment good"].detail
    assert checks["deployment revoked"].advice == "correct the key in KEY_EU"
    assert "401: fault 401" in checks["deployment revoked"].detail
    assert checks["deployment unknown"].advice == "correct the model's name, or the address of its server"
    assert checks["deployment gone"].advice == f"check the address {NOBODY} and the network"


def test_published_prices_that_are_old_are_a_warning() -> None:
    [recent], [old] = check_price_table(date(2026, 11, 27)), check_price_table(date(2029, 1, 1))

    assert (recent.status, old.status) == ("ok", "warn")
    assert "out of date" in old.detail
    assert "genai-prices" in old.advice
