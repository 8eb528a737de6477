"""The API as a whole: queries, keys, problems, probes, its own description."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tests.integration.conftest import Client, Failing, RunningServer, Start, conversation, wait_until

from healing_eval.domain.evaluation import Evaluation, Findings, Verdict, issue
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.pipeline.access import create_key, revoke_key
from healing_eval.ports.catalog import Scope
from healing_eval.ports.ledger import LaneResult, Ledger
from healing_eval.ports.stream import Stream
from healing_eval.wiring import Services

CONVERSATIONS = "/api/v1/conversations"
QUERY = "/api/v1/evaluations/query"


def evaluate(client: Client, name: str, overall: float, *types: str) -> None:
    """Store what a worker would."""
    ledger = client.server.services.ledger
    head = client.server.do(ledger.find(client.headers["X-Healing-Eval-Project"], name))
    assert head is not None
    found = Findings(overall=overall, issues=tuple(issue(one, "seen") for one in types))
    evaluation = Evaluation(head.revision_key.conversation_key, "praise", "1", found)
    verdict = Verdict(overall=overall, outcome="pass" if overall >= 0.5 else "fail", weights={"praise": 1.0})
    results = [LaneResult(head.revision_key, (evaluation,))]
    assert client.server.do(ledger.close_lane("checks", results, lambda *_: verdict)) == [head.revision_key]


@pytest.fixture
def evaluated(client: Client) -> Client:
    """A project with three evaluated conversations and one that waits."""
    client.send_conversations(
        conversation("good"), conversation("so/so", agent_version="v2"), conversation("bad"), conversation("waiting")
    )
    evaluate(client, "good", 1.0)
    evaluate(client, "so/so", 0.6, "slow_response")
    evaluate(client, "bad", 0.2, "schema_violation", "slow_response")
    return client


def found(client: Client, **query: Any) -> list[str]:
    answer = client.post(QUERY, query)
    assert answer.status == 200, answer.content
    return [item["conversation"]["conversation_id"] for item in answer.json["items"]]


def test_a_verdict_comes_with_its_evaluations(evaluated: Client) -> None:
    answer = evaluated.get("/api/v1/evaluations/so%2Fso").json

    assert answer["verdict"]["overall"] == 0.6
    assert answer["verdict"]["outcome"] == "pass"
    (evaluation,) = answer["evaluations"]
    assert evaluation["evaluator"] == "praise"
    assert evaluation["result"]["status"] == "measured"
    assert evaluation["result"]["issues"][0]["type"] == "slow_response"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"good", "so/so", "bad"}),
        ({"conversation_ids": ["so/so", "none"]}, {"so/so"}),
        ({"agent_versions": ["v1"]}, {"good", "bad"}),
        ({"evaluators": ["praise"]}, {"good", "so/so", "bad"}),
        ({"evaluators": ["judge"]}, set()),
        ({"min_overall": 0.6}, {"good", "so/so"}),
        ({"max_overall": 0.6}, {"so/so", "bad"}),
        ({"outcome": ["fail"]}, {"bad"}),
        ({"has_issues": False}, {"good"}),
        ({"has_issues": True}, {"so/so", "bad"}),
        ({"issue_types": ["schema_violation"]}, {"bad"}),
        ({"min_severity": "error"}, {"bad"}),
        ({"evaluated_from": "2020-01-01T00:00:00Z"}, {"good", "so/so", "bad"}),
        ({"evaluated_before": "2020-01-01T00:00:00Z"}, set()),
    ],
)
def test_every_filter_of_a_query_is_applied(evaluated: Client, query: dict[str, Any], expected: set[str]) -> None:
    assert set(found(evaluated, **query)) == expected


def test_a_query_is_sorted_and_paged(evaluated: Client) -> None:
    first = evaluated.post(QUERY, {"sort": "overall", "limit": 2}).json
    second = evaluated.post(QUERY, {"sort": "overall", "limit": 2, "cursor": first["next_cursor"]}).json

    names = [item["conversation"]["conversation_id"] for item in first["items"] + second["items"]]
    assert names == ["bad", "so/so", "good"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"offset": -1}, "/offset"),
        ({"limit": 0}, "/limit"),
        ({"limit": 10**30}, "/limit"),
        ({"min_overall": 1.5}, "/min_overall"),
        ({"outcome": ["bad"]}, "/outcome/0"),
        ({"conversation_ids": ["a", 1]}, "/conversation_ids/1"),
        ({"sort": "random"}, "/sort"),
        ({"issue_types": ["nope"]}, "/issue_types/0"),
        ({"evaluated_from": "2026-01-01T00:00:00"}, "/evaluated_from"),
        ({"evaluators": ["x"] * 1001}, "/evaluators"),
        ([], None),
    ],
)
def test_a_bad_query_is_refused_with_a_pointer(client: Client, query: Any, pointer: str | None) -> None:
    answer = client.post(QUERY, query)

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json.get("pointer") == pointer


def test_a_bad_cursor_is_refused(client: Client) -> None:
    assert client.post(QUERY, {"cursor": "nonsense"}).status == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/schema/nowhere", 404),
        ("GET", f"{CONVERSATIONS}/none", 404),
        ("GET", "/api/v1/evaluations/none", 404),
        ("GET", "/api/v1/evaluations/query", 404),
        ("DELETE", CONVERSATIONS, 405),
        ("GET", f"{CONVERSATIONS}/%ff%00", 404),
        ("POST", f"{CONVERSATIONS}//feedback", 415),
    ],
)
def test_every_refusal_is_a_problem(client: Client, method: str, path: str, status: int) -> None:
    answer = client.send(method, path)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["detail"]


def test_probes_and_metrics_answer(client: Client) -> None:
    client.send_conversations(conversation(), None)

    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ready"}
    said = client.get("/metrics").content.decode()
    assert "healing_eval_store_up 1.0" in said
    assert "healing_eval_stream_up 1.0" in said
    assert 'healing_eval_queue_depth{lane="checks"}' in said
    assert 'healing_eval_ingested_conversations_total{status="rejected"}' in said
    assert 'healing_eval_request_seconds_count{route="/api/v1/conversations",status="202"}' in said


def test_the_description_loads_nothing_from_elsewhere_and_describes_fields(client: Client) -> None:
    document = client.get("/schema/openapi.json").json

    assert client.get("/schema").json == document
    assert "http" not in {word.split("://")[0] for word in json.dumps(document).split('"') if "://" in word}
    turn = document["components"]["schemas"]["SentTurn"]
    assert turn["properties"]["timestamp"]["description"] == "ISO 8601."
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["500"]["content"]


def make_key(server: RunningServer, *scopes: Scope, project: str = "shop") -> tuple[str, str]:
    made = server.do(create_key(server.services.catalog, project=project, scopes=scopes, created_at=datetime.now(UTC)))
    return made.text, made.record.key_id


def test_once_there_is_a_key_everybody_needs_one(start: Start) -> None:
    server = start()
    text, _ = make_key(server, "ingest", "read")

    anybody = Client(server, {})
    bearer = Client(server, {"Authorization": f"bearer {text}"})
    header = Client(server, {"x-api-key": text})

    refused = anybody.send_conversations(conversation())
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert bearer.send_conversations(conversation()).status == 202
    assert header.get(f"{CONVERSATIONS}/c-1").status == 200
    assert anybody.get("/healthz").status == 200
    for path in (CONVERSATIONS, f"{CONVERSATIONS}/c-1", "/api/v1/evaluations/c-1"):
        assert anybody.get(path).status == 401


def test_a_key_does_what_its_scopes_say_in_its_own_project(start: Start) -> None:
    server = start()
    ingest, _ = make_key(server, "ingest")
    admin, _ = make_key(server, "admin", project="other")
    sender, chief = Client(server, {"x-api-key": ingest}), Client(server, {"x-api-key": admin})

    assert sender.send_conversations(conversation()).status == 202
    assert sender.get(CONVERSATIONS).status == 403
    assert "read" in sender.get(CONVERSATIONS).json["detail"]
    assert chief.get(CONVERSATIONS).json["items"] == []
    assert chief.send("GET", CONVERSATIONS, headers={"X-Healing-Eval-Project": "shop"}).status == 403


@pytest.mark.parametrize("key", ["", "he_", "he_aaaaaaaaaaaa_wrong", "sk-123", "he_\xff\xfe_x"])
def test_a_wrong_key_is_refused(start: Start, key: str) -> None:
    server = start()
    make_key(server, "admin")

    assert Client(server, {"x-api-key": key}).get(CONVERSATIONS).status == 401


def test_revoking_the_last_key_does_not_open_the_server(start: Start) -> None:
    server = start()
    text, key_id = make_key(server, "admin")

    server.do(revoke_key(server.services.catalog, key_id, at=datetime.now(UTC)))

    assert Client(server, {"x-api-key": text}).get(CONVERSATIONS).status == 401
    assert Client(server, {}).get(CONVERSATIONS).status == 401


def ledger_failing(**errors: Exception) -> Callable[[Services], Services]:
    return lambda real: msgspec.structs.replace(real, ledger=cast("Ledger", Failing(real.ledger, **errors)))


def test_a_store_that_does_not_answer_is_503_and_nothing_is_said_about_it(start: Start) -> None:
    down = BackendError("secret host down")
    client = Client(start(ledger_failing(add=down, check=down)))

    answer = client.send_conversations(conversation())

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert b"secret" not in answer.content
    assert client.get("/readyz").status == 503
    assert client.get("/healthz").status == 200


def test_metrics_are_given_without_store_and_stream_and_say_that_they_are_down(start: Start) -> None:
    down = BackendError("down")

    def change(real: Services) -> Services:
        stream = cast("Stream", Failing(real.stream, depth=down))
        return msgspec.structs.replace(ledger_failing(check=down)(real), stream=stream)

    answer = Client(start(change)).get("/metrics")

    assert answer.status == 200
    assert b"healing_eval_store_up 0.0" in answer.content
    assert b"healing_eval_stream_up 0.0" in answer.content
    assert b"healing_eval_queue_depth{" not in answer.content


def test_while_too_much_waits_conversations_are_429_and_feedback_is_taken(start: Start) -> None:
    server = start(limits={"backlog": 1})
    client = Client(server)
    assert client.send_conversations(conversation("a"), conversation("b")).status == 202

    wait_until(lambda: client.send_conversations(conversation("a")).status == 429)

    refused = client.send_conversations(conversation("new"))
    assert refused.json["type"] == "urn:healing-eval:problem:backlog-full"
    assert "limits.backlog" in refused.json["detail"]
    assert int(refused.headers["retry-after"]) > 0
    assert client.get(f"{CONVERSATIONS}/new").status == 404
    said = {"feedback": {"user_rating": 5}}
    assert client.post(f"{CONVERSATIONS}/a/feedback", said["feedback"]).status == 201
    later = datetime(2100, 1, 1, tzinfo=UTC)
    ledger = server.services.ledger
    keys = server.do(ledger.pending("checks", accepted_before=later, limit=9))
    server.do(ledger.fail(keys, "checks", "given up"))
    wait_until(lambda: client.send_conversations(conversation("new")).status == 202)


def test_a_fault_of_ours_says_an_id_and_logs_it_without_content(start: Start) -> None:
    server = start(ledger_failing(find=RuntimeError("the user said hello")))

    with capture_logs() as events:
        answer = Client(server).get(f"{CONVERSATIONS}/my-id")
        wait_until(lambda: bool(handled(events)))

    assert answer.status == 500
    assert b"hello" not in answer.content
    (logged,) = handled(events)
    assert (logged["log_level"], logged["status"], logged["kind"]) == ("error", 500, "RuntimeError")
    assert logged["error_id"] == answer.json["error_id"]
    assert "hello" not in str(events)
    assert "my-id" not in str(events)


def stream_down(real: Services) -> Services:
    return msgspec.structs.replace(real, stream=cast("Stream", Failing(real.stream, append=BackendError("down"))))


def test_a_stream_that_does_not_answer_costs_no_request(start: Start) -> None:
    server = start(stream_down)

    answer = Client(server).send_conversations(conversation())

    assert answer.status == 202
    later = datetime(2100, 1, 1, tzinfo=UTC)
    waiting = server.do(server.services.ledger.pending("checks", accepted_before=later, limit=9))
    assert [type(key) for key in waiting] == [RevisionKey]


def handled(events: Sequence[EventDict]) -> list[EventDict]:
    return [event for event in events if event["event"] == "request.handled"]


def test_each_request_is_one_log_line_with_its_route(client: Client) -> None:
    with capture_logs() as events:
        client.send_conversations(conversation("secret-id"), None)
        client.get(f"{CONVERSATIONS}/secret-id")
        client.get("/secret-id")
        client.send("LINK", CONVERSATIONS)

    lines = handled(events)
    assert [(one["method"], one["route"], one["status"], one["log_level"]) for one in lines] == [
        ("POST", CONVERSATIONS, 202, "info"),
        ("GET", f"{CONVERSATIONS}/{{conversation_id}}", 200, "info"),
        ("GET", "(none)", 404, "info"),
        ("(other)", "(none)", 405, "info"),
    ]
    assert all(one["duration_ms"] > 0 for one in lines)
    assert "secret-id" not in str(events).lower()


def test_the_line_of_a_request_that_sends_conversations_counts_what_became_of_them(client: Client) -> None:
    with capture_logs() as events:
        client.send_conversations(conversation("known"), conversation("grows"))
        grown = conversation("grows", agent_version="v2")
        client.send_conversations(
            *(conversation(f"new-{number}") for number in range(3)), conversation("known"), grown, 7
        )
        client.send_conversations(7)

    names = ("status", "items", "accepted", "revised", "duplicate", "rejected")
    assert [tuple(line[name] for name in names) for line in handled(events)] == [
        (202, 2, 2, 0, 0, 0),
        (202, 6, 3, 1, 1, 1),
        (422, 1, 0, 0, 0, 1),
    ]


def test_what_cannot_be_served_now_is_one_line_that_warns_and_says_why(start: Start) -> None:
    server = start(ledger_failing(add=BackendError("the disk is full")))

    with capture_logs() as events:
        Client(server).send_conversations(conversation())
        wait_until(lambda: bool(handled(events)))

    (line,) = events
    assert (line["log_level"], line["status"], line["kind"]) == ("warning", 503, "BackendError")
    assert line["error"] == "the disk is full"


HUGE = 200 * 1024 * 1024


def memory_peak() -> int:
    """Bytes this process ever held."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def test_200_megabytes_are_refused_at_once_and_cost_no_memory(client: Client) -> None:
    before = memory_peak()

    with capture_logs() as events:
        sent = [
            send_endlessly(client, {"Content-Length": str(HUGE)}, b" " * 65536),
            send_endlessly(client, {"Transfer-Encoding": "chunked"}, b"10000\r\n" + b" " * 65536 + b"\r\n"),
        ]
        wait_until(lambda: sum(event["event"] == "request.handled" for event in events) == 2)

    assert [event["status"] for event in events if event["event"] == "request.handled"] == [413, 413]
    assert max(sent) < HUGE / 2
    assert memory_peak() - before < 80 * 1024 * 1024


def send_endlessly(client: Client, headers: dict[str, str], piece: bytes) -> int:
    """Send a huge body until the server hangs up; returns how many bytes it came to."""
    connection = HTTPConnection("127.0.0.1", client.server.port, timeout=20)
    connection.putrequest("POST", CONVERSATIONS)
    for name, value in ({"Content-Type": "application/json"} | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    sent = 0
    with closing(connection), suppress(OSError):
        while sent < HUGE:
            connection.send(piece)
            sent += len(piece)
    return sent
