from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.config import Settings, read_settings
from healing_eval.errors import ConfigError
from healing_eval.wiring import build_catalog, build_model, build_panel, build_services


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return read_settings(data_dir=tmp_path)


def with_model(settings: Settings, model: str) -> Settings:
    return settings.model_copy(update={"judge": settings.judge.model_copy(update={"model": model})})


def test_every_evaluator_is_on_the_panel_with_its_weight_and_lane(settings: Settings) -> None:
    panel = build_panel(settings)

    assert {one.name for one in panel.evaluators} == set(panel.rules.weights)
    assert panel.lanes == ("checks", "judges")
    assert panel.model is None


def test_without_a_model_who_needs_one_travels_with_the_others(settings: Settings) -> None:
    panel = build_panel(settings)

    assert "judge" in [one.name for one in panel.on_lane("checks")]
    assert panel.on_lane("judges") == ()
    assert panel.lanes_in_use == ("checks",)


def test_with_a_model_the_judge_has_its_own_lane(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")

    panel = build_panel(with_model(settings, "openai:gpt-4o"))

    assert [one.name for one in panel.on_lane("judges")] == ["judge"]
    assert panel.lanes_in_use == ("checks", "judges")


def test_only_those_named_are_on_it_and_weights_can_be_set(settings: Settings) -> None:
    verdict = settings.verdict.model_copy(update={"weights": {"heuristic": 7.0}})

    panel = build_panel(settings.model_copy(update={"verdict": verdict}), ["heuristic"])

    assert panel.rules.weights == {"heuristic": 7.0}


@pytest.mark.parametrize("model", ["gpt-4o", ":gpt-4o", "openai:", "nobody:gpt-4o"])
def test_a_model_that_nobody_provides_is_refused(settings: Settings, model: str) -> None:
    with pytest.raises(ConfigError, match=r"judge\.model"):
        build_model(with_model(settings, model))


def test_a_model_without_its_key_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        build_model(with_model(settings, "openai:gpt-4o"))


@pytest.mark.parametrize("where", ["evaluators", "only"])
def test_an_unknown_evaluator_is_named_with_those_there_are(settings: Settings, where: str) -> None:
    changed = settings.model_copy(update={"evaluators": {"heurestic": {}}}) if where == "evaluators" else settings

    with pytest.raises(ConfigError, match=r"heurestic.*known: .*heuristic"):
        build_panel(changed, ["heurestic"] if where == "only" else [])


@pytest.mark.parametrize("field", ["store_url", "stream_url"])
def test_an_address_nobody_speaks_is_refused(settings: Settings, field: str) -> None:
    with pytest.raises(ConfigError, match="carrier-pigeon"):
        build_services(settings.model_copy(update={field: "carrier-pigeon://loft"}))


async def test_services_open_and_close_on_the_default_store(settings: Settings, tmp_path: Path) -> None:
    services = build_services(settings)

    await services.open()
    await services.ledger.check()
    await services.close()

    assert (tmp_path / "healing-eval.db").exists()
    assert type(build_catalog(settings)) is type(services.catalog)
