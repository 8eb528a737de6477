from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from healing_eval.config import Settings, read_settings
from healing_eval.errors import ConfigError
from healing_eval.gateway.router import Router
from healing_eval.panel import Instead, build_cache, build_panel, build_results
from healing_eval.sections import BatchSettings, BudgetSettings, CacheSettings, DeploymentSettings
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.redteam.gullible import GullibleModel
from healing_eval.wiring import Services, build_catalog, build_services


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
    assert panel.models == {}


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


def test_judges_come_after_the_checks_where_there_are_any(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with_both = build_panel(with_model(settings, "openai:gpt-4o"))
    judges_only = build_panel(with_model(settings, "openai:gpt-4o"), ["judge"])
    checks_only = build_panel(settings)

    assert [panel.first_lanes for panel in (with_both, judges_only, checks_only)] == [
        ("checks",),
        ("judges",),
        ("checks",),
    ]
    # What was accepted while there were checks goes on as it would have.
    assert with_both.lanes_after("checks") == judges_only.lanes_after("checks") == ("judges",)
    assert with_both.lanes_after("judges") == checks_only.lanes_after("checks") == ()
    assert with_both.lanes_before("judges") == ("checks",)
    assert with_both.lanes_before("checks") == checks_only.lanes_before("judges") == ()


def test_a_model_that_is_handed_over_is_asked_instead_of_the_configured_one(settings: Settings) -> None:
    ours = GullibleModel()

    panel = build_panel(with_model(settings, "openai:gpt-4o-mini"), ["judge"], instead=Instead(ours))

    assert panel.models == {"judge": (ours,)}
    assert panel.evaluators[0].inapplicable(a_conversation()) is None


def test_only_those_named_are_on_it_and_weights_can_be_set(settings: Settings) -> None:
    verdict = settings.verdict.model_copy(update={"weights": {"heuristic": 7.0}})

    panel = build_panel(settings.model_copy(update={"verdict": verdict}), ["heuristic"])

    assert panel.rules.weights == {"heuristic": 7.0}


def with_deployments(settings: Settings, **tables: dict[str, object]) -> Settings:
    deployments = {name: DeploymentSettings.model_validate(table) for name, table in tables.items()}
    return settings.model_copy(update={"deployments": deployments})


def test_each_evaluator_may_have_a_model_of_its_own_and_those_that_ask_the_same_share_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    own = {"judge": ["openai:a", "openai:b"], "heuristic": "openai:b"}

    panel = build_panel(with_model(settings, "openai:c").model_copy(update={"models": own}))

    named = {evaluator: [model.name for model in models] for evaluator, models in panel.models.items()}
    assert named["judge"] == ["openai:a", "openai:b"]
    assert named["heuristic"] == ["openai:b"]
    assert named["coherence"] == ["openai:c"]
    assert panel.models["judge"][1] is panel.models["heuristic"][0]


def test_deployments_with_one_pool_answer_for_each_other(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_EU", "eu")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    pool = with_deployments(
        with_model(settings, "cheap"),
        eu={"model": "openai:m", "pool": "cheap", "key_variable": "KEY_EU", "url": "http://127.0.0.1:1/v1"},
        other={"model": "anthropic:n", "pool": "cheap", "weight": 0, "requests_per_minute": 10},
        elsewhere={"model": "openai:x"},
    )

    router = cast("Router", build_panel(pool).models["judge"][0])

    assert [(one.name, one.model.name, one.weight) for one in router.deployments] == [
        ("eu", "openai:m", 1.0),
        ("other", "anthropic:n", 0.0),
    ]
    assert router.deployments[0].model.base_url == "http://127.0.0.1:1/v1"


def test_deployments_of_a_model_without_a_pool_are_that_models(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    two = with_deployments(with_model(settings, "openai:m"), a={"model": "openai:m"}, b={"model": "openai:m"})

    assert len(cast("Router", build_panel(two).models["judge"][0]).deployments) == 2


@pytest.mark.parametrize(
    ("deployment", "said"),
    [
        ({"model": "openai:m", "key_variable": "NOT_SET"}, r"deployments\.mine\.key_variable: NOT_SET is not set"),
        ({"model": "nobody:m"}, r"'deployments\.mine\.model': no provider 'nobody'"),
        ({"model": "ollama:m", "key_variable": "HOME"}, r"deployments\.mine.*ollama models have no such setting"),
        ({"model": "openai:m"}, r"deployments\.mine: OPENAI_API_KEY is not set"),
    ],
)
def test_a_deployment_that_cannot_be_asked_is_named(
    settings: Settings, deployment: dict[str, object], said: str
) -> None:
    wanted = {"pool": "mine", **deployment}

    with pytest.raises(ConfigError, match=said):
        build_panel(with_deployments(with_model(settings, "mine"), mine=wanted))


def test_a_pool_that_nobody_is_in_is_refused_with_those_there_are(settings: Settings) -> None:
    wrong = with_deployments(with_model(settings, "cheep"), mine={"model": "openai:m", "pool": "cheap"})

    with pytest.raises(
        ConfigError, match=r"'judge\.model' must be provider:model.*or one of the pools cheap, got 'cheep'"
    ):
        build_panel(wrong)


@pytest.mark.parametrize("model", ["gpt-4o", ":gpt-4o", "openai:", "nobody:gpt-4o"])
def test_a_model_that_nobody_provides_is_refused(settings: Settings, model: str) -> None:
    with pytest.raises(ConfigError, match=r"judge\.model"):
        build_panel(with_model(settings, model))


def test_a_model_without_its_key_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        build_panel(with_model(settings, "openai:gpt-4o"))


@pytest.mark.parametrize("where", ["evaluators", "only"])
def test_an_unknown_evaluator_is_named_with_those_there_are(settings: Settings, where: str) -> None:
    changed = settings.model_copy(update={"evaluators": {"heurestic": {}}}) if where == "evaluators" else settings

    with pytest.raises(ConfigError, match=r"heurestic.*known: .*heuristic"):
        build_panel(changed, ["heurestic"] if where == "only" else [])


@pytest.mark.parametrize("field", ["store_url", "stream_url"])
def test_an_address_nobody_speaks_is_refused(settings: Settings, field: str) -> None:
    with pytest.raises(ConfigError, match="carrier-pigeon"):
        build_services(settings.model_copy(update={field: "carrier-pigeon://loft"}))


def test_an_address_at_which_nobody_remembers_is_refused_by_the_name_of_its_setting(settings: Settings) -> None:
    for url in ("carrier-pigeon://loft", "redis://host/many", "postgresql://host"):
        with pytest.raises(ConfigError, match="setting 'cache_url'"):
            build_cache(settings.model_copy(update={"cache_url": url}))


def test_who_is_to_remember_nothing_gets_no_cache(settings: Settings) -> None:
    forgetful = settings.model_copy(update={"cache": CacheSettings(keep_days=0)})

    cache = build_cache(forgetful)

    assert cache is None
    assert build_results(forgetful, cache, "judge") is None


async def test_what_an_evaluator_remembers_is_in_the_cache_for_as_long_as_was_set(settings: Settings) -> None:
    cache = build_cache(settings)
    assert cache is not None

    results = build_results(settings, cache, "judge")

    assert results is not None
    await results.put({b"k" * 16: b"result"})
    assert list(await results.get([b"k" * 16])) == list(await cache.get([b"k" * 16])) == [b"result"]
    assert settings.cache.keep_seconds == 7 * 24 * 60 * 60


async def test_services_open_and_close_on_the_default_store(settings: Settings, tmp_path: Path) -> None:
    services = build_services(settings)

    await services.open()
    await services.ledger.check()
    await services.close()

    assert (tmp_path / "healing-eval.db").exists()
    assert type(build_catalog(settings)) is type(services.catalog)


def in_a_process(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HEALING_EVAL_", "OTEL_"))}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=clean | environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


OURS = ("healing_eval.backends.tracer", "opentelemetry.exporter", "google.protobuf", "requests")
"""Not all of OpenTelemetry: where it is installed, redis-py and litestar import some of it for themselves."""


@pytest.mark.parametrize("endpoint", [None, ""])
def test_without_a_collector_there_is_no_tracer_and_nothing_of_it_is_imported(
    endpoint: str | None, tmp_path: Path
) -> None:
    code = f"""
import sys
from healing_eval.api.app import create_app
from healing_eval.api.frame import Frame
from healing_eval.cli import serve, up, work
from healing_eval.config import read_settings
from healing_eval.pipeline.together import Together
from healing_eval.wiring import build_services
services = build_services(read_settings(stream_url="redis://localhost"))
app = create_app(services)
assert services.tracer is None
assert type(app.asgi_handler) is Frame
assert type(app.state.context.ingest._adds) is Together
assert not [one for one in services.panel.evaluators if ".evaluators." not in type(one).__module__]
print([name for name in sys.modules if name.startswith({OURS!r})])
"""
    given = {} if endpoint is None else {"HEALING_EVAL_TELEMETRY__OTLP_ENDPOINT": endpoint}

    done = in_a_process(code, tmp_path, **given)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("verb", ["up", "serve", "work"])
def test_a_collector_without_the_extra_is_refused_in_one_line(verb: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
from healing_eval.cli.main import main
main([{verb!r}])
"""
    servers = (
        {}
        if verb == "up"
        else {
            "HEALING_EVAL_STORE_URL": "postgresql://x@127.0.0.1:1/x",
            "HEALING_EVAL_STREAM_URL": "redis://127.0.0.1:1",
        }
    )

    done = in_a_process(code, tmp_path, HEALING_EVAL_TELEMETRY__OTLP_ENDPOINT="http://collector:4318", **servers)

    assert done.returncode == 2
    assert done.stderr.startswith("error: setting 'telemetry.otlp_endpoint': ")
    assert done.stderr.endswith("try: pip install 'healing-eval[otel]'\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://"])
def test_a_collector_that_cannot_be_one_is_refused(settings: Settings, endpoint: str) -> None:
    chosen = settings.telemetry.model_copy(update={"otlp_endpoint": endpoint})

    with pytest.raises(ConfigError, match=r"telemetry\.otlp_endpoint"):
        build_services(settings.model_copy(update={"telemetry": chosen}))


def with_budget(settings: Settings, **parts: object) -> Settings:
    return settings.model_copy(update={"budgets": {"b": BudgetSettings.model_validate({"dollars": 1} | parts)}})


def test_budgets_stand_before_what_asks_a_model_and_before_nothing_else(settings: Settings) -> None:
    plain = {one.name: type(one) for one in build_panel(settings).evaluators}

    panel = build_panel(with_budget(settings))

    assert [one.name for one in panel.evaluators if type(one) is not plain[one.name]] == ["judge"]
    assert [one.version for one in panel.evaluators] == [one.version for one in build_panel(settings).evaluators]
    assert panel.accounts is not None
    assert build_panel(settings).accounts is None


def test_what_is_spent_is_counted_where_the_stream_is_or_where_it_outlives_the_process(settings: Settings) -> None:
    shared = settings.model_copy(update={"stream_url": "redis://r?prefix=x"})

    assert shared.effective_spending_url == "redis://r?prefix=x"
    assert settings.effective_spending_url == f"sqlite:///{settings.data_dir}/spending.db"
    build_panel(with_budget(settings))
    assert not (settings.data_dir / "spending.db").exists()


def test_a_budget_for_an_evaluator_that_there_is_not_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"^budgets\.b\.evaluator: no evaluator 'jugde'; known: .*judge"):
        build_panel(with_budget(settings, evaluator="jugde"))


def test_a_budget_for_an_evaluator_that_asks_no_model_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"^budgets\.b\.evaluator: 'heuristic' asks no model"):
        build_panel(with_budget(settings, evaluator="heuristic"))


def not_urgent(settings: Settings, *evaluators: str) -> Settings:
    return settings.model_copy(update={"batches": BatchSettings(not_urgent=evaluators)})


async def in_batches(settings: Settings) -> bool:
    services = build_services(settings)
    await closed(services)
    return services.batches is not None


async def closed(services: Services) -> None:
    await services.panel.close()
    if services.batches is not None:
        await services.batches.close()


async def test_questions_wait_for_batches_only_where_that_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    judged = with_model(settings, "openai:m")

    assert not await in_batches(judged)
    assert await in_batches(not_urgent(judged, "judge"))
    assert not await in_batches(not_urgent(settings, "judge"))  # there is no judge


async def test_who_takes_no_batches_is_not_silently_paid_in_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    chosen = not_urgent(with_model(settings, "openai:m"), "judge")

    with pytest.raises(ConfigError, match=r"'batches.not_urgent' names judge.*openai:m takes batches"):
        build_services(chosen)
    assert await in_batches(with_deployments(chosen, mine={"model": "openai:m", "batches": True}))
    monkeypatch.delenv("OPENAI_BASE_URL")
    with pytest.raises(ConfigError, match="takes batches"):
        build_services(with_deployments(chosen, mine={"model": "openai:m", "batches": False}))


def test_a_deployment_whose_provider_takes_no_batches_cannot_be_said_to(settings: Settings) -> None:
    chosen = not_urgent(with_model(settings, "ollama:m"), "judge")

    with pytest.raises(ConfigError, match=r"deployments.mine.batches: ollama takes none; known: anthropic, openai"):
        build_services(with_deployments(chosen, mine={"model": "ollama:m", "batches": True}))


def test_an_unknown_evaluator_cannot_wait(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="no evaluator 'jugde'"):
        build_panel(not_urgent(settings, "jugde"))
