from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from healing_eval.config import Settings, read_settings
from healing_eval.errors import ConfigError
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.redteam.gullible import GullibleModel
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


def test_a_model_that_is_handed_over_is_asked_instead_of_the_configured_one(settings: Settings) -> None:
    ours = GullibleModel()

    panel = build_panel(with_model(settings, "openai:gpt-4o-mini"), ["judge"], model=ours)

    assert panel.model is ours
    assert panel.evaluators[0].inapplicable(a_conversation()) is None


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
