"""One trace across the API, the stream and the worker, in processes of their own, as a collector gets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.acceptance.conftest import judged_by

from healing_eval.testing.builders import a_conversation, wire_item
from healing_eval.testing.collector import Collector, Received
from healing_eval.testing.fake_model import FakeModel
from healing_eval.testing.servers.process import free_port, wait_until_ready

COMMAND = str(Path(sys.executable).parent / "healing-eval")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("HEALING_EVAL_", "OTEL_"))}
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{CALLERS_SPAN}-01"
SECRET = "nobody may read this in a trace"

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def start(new_postgresql_url: str, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start verbs on the servers; what still runs is killed in the end."""
    running: list[subprocess.Popen[bytes]] = []
    settings = {"HEALING_EVAL_STORE_URL": new_postgresql_url, "HEALING_EVAL_STREAM_URL": redis_url}

    def run(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{arguments[0]}.log").open("wb") as log:
            env = CLEAN | settings | environment
            running.append(subprocess.Popen([COMMAND, *arguments], env=env, cwd=tmp_path, stderr=log))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait()


def ready(port: int) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        return answer.status == 200


def post(port: int, *names: str, **headers: str) -> int:
    items = [wire_item(a_conversation(name)) | {"metadata": {"note": SECRET}} for name in names]
    body = json.dumps({"conversations": items}).encode()
    sent = {"Content-Type": "application/json"} | headers
    with urlopen(Request(f"http://127.0.0.1:{port}/api/v1/conversations", body, sent), timeout=10) as answer:
        return answer.status


def get(port: int, path: str, **headers: str) -> int:
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=10) as answer:
        return answer.status


def only(spans: list[Received]) -> Received:
    (span,) = spans
    return span


@pytest.mark.services
def test_a_post_its_messages_its_evaluation_and_its_model_calls_are_one_trace(
    start: Start, collector: Collector, fake_model: FakeModel, tmp_path: Path
) -> None:
    settings = judged_by(fake_model) | {"HEALING_EVAL_TELEMETRY__OTLP_ENDPOINT": collector.endpoint}
    port, health = free_port(), free_port()
    serving = start("serve", "--port", str(port), HEALING_EVAL_TELEMETRY__SERVICE_NAME="api", **settings)
    working = start("work", "--port", str(health), HEALING_EVAL_TELEMETRY__SERVICE_NAME="worker", **settings)
    wait_until_ready(lambda: ready(port), "the API", 30)
    wait_until_ready(lambda: ready(health), "the worker", 30)

    sent = post(port, "first-id", traceparent=TRACEPARENT)
    opened = get(port, "/api/v1/conversations/first-id", traceparent=TRACEPARENT)
    wait_until_ready(lambda: len(collector.named("store results")) == 2, "both lanes", 30)
    serving.terminate()
    working.terminate()
    ended = [serving.wait(30), working.wait(30)]

    assert (sent, opened, ended, collector.refusals) == (202, 200, [0, 0], [])
    assert {span.trace_id for span in collector.spans} == {TRACE_ID}
    by_id = {span.span_id: span for span in collector.spans}
    request = only(collector.named("POST /api/v1/conversations"))
    assert request.parent_id == CALLERS_SPAN
    assert request.attributes["http.route"] == "/api/v1/conversations"
    assert request.attributes["http.response.status_code"] == 202
    assert only(collector.named("GET /api/v1/conversations/{conversation_id}")).parent_id == CALLERS_SPAN
    assert above(only(collector.named("chat fake")), by_id) == [
        "evaluate judge",
        "process judges",
        "send judges",
        "send checks",
        "POST /api/v1/conversations",
    ]
    assert above(only(collector.named("evaluate heuristic")), by_id)[:2] == ["process checks", "send checks"]
    transactions = [above(span, by_id)[:2] for span in collector.named("transaction")]
    assert sorted(transactions) == [
        ["store conversations", "POST /api/v1/conversations"],
        ["store results", "process checks"],
        ["store results", "process judges"],
    ]
    chat = only(collector.named("chat fake"))
    assert chat.kind == "client"
    assert chat.attributes["gen_ai.operation.name"] == "chat"
    assert chat.attributes["gen_ai.request.model"] == "fake"
    assert chat.attributes["gen_ai.response.model"] == "fake-1"
    assert chat.attributes["gen_ai.usage.input_tokens"] > 0
    assert request.resource["service.name"] == "api"
    assert chat.resource["service.name"] == "worker"
    told = " ".join(f"{span.name} {span.attributes}" for span in collector.spans)
    assert "first-id" not in told
    assert SECRET not in told
    assert not [span for span in collector.spans if span.failed or span.events]
    assert f'"trace_id": "{TRACE_ID}"' in (tmp_path / "serve.log").read_text()


def above(span: Received, by_id: dict[str, Received]) -> list[str]:
    """Name the spans that one is within, the nearest first."""
    names: list[str] = []
    while (parent := by_id.get(span.parent_id)) is not None:
        names.append(parent.name)
        span = parent
    return names


@pytest.mark.services
def test_what_the_stream_lost_is_evaluated_within_a_trace_that_begins_with_the_sweep(
    start: Start, collector: Collector
) -> None:
    settings = {"HEALING_EVAL_TELEMETRY__OTLP_ENDPOINT": collector.endpoint}
    port = free_port()
    down = {"HEALING_EVAL_STREAM_URL": f"redis://127.0.0.1:{free_port()}"}  # so nobody hears of the post
    serving = start("serve", "--port", str(port), **down)
    wait_until_ready(lambda: ready(port), "the API", 30)
    sent = post(port, "a", "b")
    serving.terminate()

    working = start("work", "--lanes", "checks", "--port", "0", **settings)
    wait_until_ready(lambda: collector.named("store results"), "the results", 30)
    working.terminate()

    assert (sent, serving.wait(30), working.wait(30)) == (202, 0, 0)
    by_id = {span.span_id: span for span in collector.spans}
    sweep = only(collector.named("sweep"))
    assert (sweep.parent_id, sweep.attributes["healing_eval.conversations"]) == ("", 2)
    assert above(only(collector.named("process checks")), by_id) == ["send checks", "sweep"]


@pytest.mark.services
def test_a_collector_that_answers_nothing_delays_neither_posts_nor_the_end(
    start: Start, collector: Collector, tmp_path: Path
) -> None:
    collector.going_on.clear()
    port = free_port()
    serving = start("serve", "--port", str(port), HEALING_EVAL_TELEMETRY__OTLP_ENDPOINT=collector.endpoint)
    wait_until_ready(lambda: ready(port), "the API", 30)

    taken = [post(port, f"c-{number}") for number in range(20)]
    wait_until_ready(lambda: collector.requests, "a request to the collector", 30)
    taken += [post(port, f"d-{number}") for number in range(20)]
    serving.terminate()

    assert set(taken) == {202}
    assert serving.wait(25) == 0  # well within what a container is given
    assert "spans." in (tmp_path / "serve.log").read_text()
    assert "Traceback" not in (tmp_path / "serve.log").read_text()


@pytest.mark.services
def test_no_collector_at_all_is_one_warning(start: Start, tmp_path: Path) -> None:
    port = free_port()
    nobody = f"http://127.0.0.1:{free_port()}"
    serving = start("serve", "--port", str(port), HEALING_EVAL_TELEMETRY__OTLP_ENDPOINT=nobody)
    wait_until_ready(lambda: ready(port), "the API", 30)
    log = tmp_path / "serve.log"

    for number in range(5):
        assert post(port, f"c-{number}") == 202
    wait_until_ready(lambda: "spans.unsent" in log.read_text(), "the warning", 30)
    assert post(port, "one-more") == 202
    serving.terminate()

    assert serving.wait(25) == 0
    assert "refused" in next(line for line in log.read_text().splitlines() if "spans.unsent" in line)
    said = [line for line in log.read_text().splitlines() if "request.handled" not in line]
    assert [json.loads(line)["event"] for line in said if line.startswith("{")] == ["spans.unsent"]
    assert all(line.startswith(("{", "Healing Eval", "  ")) for line in said), said
