"""Conversations over HTTP: every kind of bad input gets a clear answer, and nothing else is lost."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest
from tests.integration.conftest import Client, Start, conversation

PATH = "/api/v1/conversations"
JSON = {"Content-Type": "application/json"}


def statuses(items: list[dict[str, Any]]) -> list[str]:
    return [item["status"] for item in items]


def stored_ids(client: Client) -> set[str]:
    return {item["conversation_id"] for item in client.get(f"{PATH}?limit=100").json["items"]}


def test_a_conversation_is_accepted_and_can_be_opened(client: Client) -> None:
    sent = client.send_conversations(conversation("c-1"))

    assert sent.status == 202
    (item,) = sent.json["items"]
    assert item["status"] == "accepted"
    assert item["revision"] == 1
    for name in ("c-1", item["key"]):
        opened = client.get(f"{PATH}/{name}").json
        assert opened["conversation"]["conversation_id"] == "c-1"
        assert [turn["content"] for turn in opened["content"]["turns"]] == ["When does my train leave?", "At 10:15."]


def test_one_bad_item_among_thirty_costs_only_itself(client: Client) -> None:
    items: list[Any] = [conversation(f"good-{number}") for number in range(29)]
    items.insert(7, conversation("bad", turns=[{"turn_id": 1, "role": "hacker", "content": "x"}]))

    answer = client.send_conversations(*items)

    assert answer.status == 202
    assert statuses(answer.json["items"]).count("accepted") == 29
    bad = answer.json["items"][7]
    assert (bad["index"], bad["status"], bad["conversation_id"]) == (7, "rejected", "bad")
    assert bad["pointer"] == "/turns/0/role"
    assert "assistant" in bad["reason"]
    assert len(stored_ids(client)) == 29


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        (None, ""),
        ("text", ""),
        ({}, ""),
        (conversation("x" * 257), "/conversation_id"),
        (conversation("   "), "/conversation_id"),
        (conversation(17), "/conversation_id"),
        (conversation(agent_version="v" * 257), "/agent_version"),
        (conversation(turns=[]), "/turns"),
        (conversation(turns=None), "/turns"),
        (conversation(turns=[{"turn_id": 1, "content": "no role"}]), "/turns/0/role"),
        (conversation(turns=[{"turn_id": 1, "role": "user", "content": 5}]), "/turns/0/content"),
        (
            conversation(
                turns=[
                    {"turn_id": 1, "role": "user", "content": "a"},
                    {"turn_id": 1, "role": "assistant", "content": "b"},
                ]
            ),
            "/turns/1/turn_id",
        ),
        (
            conversation(
                turns=[
                    {
                        "turn_id": 1,
                        "role": "assistant",
                        "content": "",
                        "tool_calls": [{"tool_name": "t", "parameters": {}, "latency_ms": -9e9}],
                    }
                ]
            ),
            "/turns/0/tool_calls/0/latency_ms",
        ),
    ],
)
def test_what_cannot_be_meant_is_rejected_with_field_and_reason(client: Client, item: Any, pointer: str) -> None:
    answer = client.send_conversations(item)

    assert answer.status == 422
    (entry,) = answer.json["items"]
    assert entry["status"] == "rejected"
    assert entry["pointer"].startswith(pointer)
    assert entry["reason"]
    assert stored_ids(client) == set()


def test_nul_is_repaired_and_said_so(client: Client) -> None:
    turns = [
        {"turn_id": 1, "role": "user", "content": "a\0b"},
        {"turn_id": 2, "role": "assistant", "content": "ok"},
    ]

    answer = client.send_conversations(conversation("nul\0id", turns=turns))

    (item,) = answer.json["items"]
    assert item["status"] == "accepted"
    assert "NUL" in item["notes"][0]
    opened = client.get(f"{PATH}/nul%00id").json
    assert opened["content"]["turns"][0]["content"] == "a\ufffdb"


def test_without_an_assistant_turn_it_is_stored_as_unevaluable(client: Client) -> None:
    answer = client.send_conversations(conversation(turns=[{"turn_id": 1, "role": "user", "content": "anybody?"}]))

    assert answer.json["items"][0]["conversation_status"] == "unevaluable"
    evaluated = client.get("/api/v1/evaluations/c-1").json
    assert evaluated["conversation"]["status"] == "unevaluable"
    assert evaluated["verdict"] is None


def test_the_same_again_is_a_duplicate_and_changed_content_a_revision(client: Client) -> None:
    changed = conversation(turns=[{"turn_id": 1, "role": "assistant", "content": "other"}])

    first = client.send_conversations(conversation(), conversation(), changed)
    second = client.send_conversations(changed)

    assert statuses(first.json["items"]) == ["accepted", "duplicate", "revised"]
    assert statuses(second.json["items"]) == ["duplicate"]
    assert second.status == 202
    assert client.get(f"{PATH}/c-1").json["conversation"]["revision"] == 2
    assert len(client.get(PATH).json["items"]) == 1


def test_a_conversation_does_not_go_back_to_an_earlier_state(client: Client) -> None:
    changed = conversation(turns=[{"turn_id": 1, "role": "assistant", "content": "other"}])

    answer = client.send_conversations(conversation(), changed, conversation())

    assert [(item["status"], item["revision"]) for item in answer.json["items"]] == [
        ("accepted", 1),
        ("revised", 2),
        ("duplicate", 1),
    ]
    assert client.get(f"{PATH}/c-1").json["content"]["turns"][0]["content"] == "other"


def test_what_was_sent_is_kept_byte_for_byte(client: Client) -> None:
    result = {"status": "success", "flights": [{"id": "F1", "price": 1.50}], "unknown": {"deep": [1, 2]}}
    call = {"tool_name": "search", "parameters": {"to": "LIS"}, "result": result, "latency_ms": 450}
    turn = {"turn_id": "t-1", "role": "assistant", "content": "", "tool_calls": [call]}
    raw = json.dumps(conversation("verbatim", turns=[turn], unknown_field="kept"), indent=3).encode()

    client.send("POST", PATH, b'{"conversations": [' + raw + b"]}", JSON)

    assert client.get(f"{PATH}/verbatim/body").content == raw
    opened = client.get(f"{PATH}/verbatim").json
    assert opened["content"]["turns"][0]["tool_calls"][0]["result"]["value"] == result


AWKWARD_IDS = [
    "a/b",
    "a/feedback",
    "query",
    "..",
    "../../healthz",
    "a//b/",
    "100%",
    "%2F",
    "what?#x",
    'it\'s "quoted"',
    "naïve ☃ 会話",
    "a b+c;d=e&f",
    "~YQ",
    "~",
]


@pytest.mark.parametrize("name", AWKWARD_IDS)
def test_any_id_can_be_opened_percent_encoded(client: Client, name: str) -> None:
    client.send_conversations(conversation(name), conversation("other"))
    path = quote(name, safe="")

    for route in (f"{PATH}/{path}", f"/api/v1/evaluations/{path}"):
        answer = client.get(route)
        assert answer.status == 200, route
        assert answer.json["conversation"]["conversation_id"] == name
    assert client.get(f"{PATH}/{path}/body").json["conversation_id"] == name
    assert client.post(f"{PATH}/{path}/feedback", {"user_rating": 4}).status == 201
    assert len(client.get(f"{PATH}/{path}").json["annotations"]) == 1


def test_slashes_in_an_id_may_come_plain(client: Client) -> None:
    client.send_conversations(conversation("a/b c/d"))

    assert client.get(f"{PATH}/a/b%20c/d").status == 200
    assert client.post(f"{PATH}/a/b%20c/d/feedback", {"user_rating": 4}).status == 201


def test_an_id_that_looks_like_a_key_wins_over_the_key(client: Client) -> None:
    key = client.send_conversations(conversation("first")).json["items"][0]["key"]
    client.send_conversations(conversation(key))

    assert client.get(f"{PATH}/{key}").json["conversation"]["conversation_id"] == key


def test_another_projects_conversation_is_not_there(client: Client) -> None:
    key = client.send_conversations(conversation()).json["items"][0]["key"]
    stranger = Client(client.server)

    for name in ("c-1", key):
        assert stranger.get(f"{PATH}/{name}").status == 404
        assert stranger.get(f"/api/v1/evaluations/{name}").status == 404
        assert stranger.post(f"{PATH}/{name}/feedback", {"user_rating": 1}).status == 404


def test_feedback_is_appended_and_never_replaced(client: Client) -> None:
    given = {"type": "helpfulness", "label": "good", "annotator_id": "ann"}
    client.send_conversations(conversation(feedback={"annotations": [given]}))

    answer = client.post(f"{PATH}/c-1/feedback", {"user_rating": 3})
    again = client.post(f"{PATH}/c-1/feedback", {"user_rating": 3})

    assert (answer.status, answer.json) == (201, {"received": 1, "added": 1})
    assert again.json == {"received": 1, "added": 0}
    said = client.get(f"{PATH}/c-1").json["annotations"]
    assert [(one["type"], one["label"]) for one in said] == [("helpfulness", "good"), ("user_rating", 3)]
    assert all(one["created_at"] > "2020" for one in said)


def test_bad_feedback_costs_no_conversation_and_is_noted(client: Client) -> None:
    answer = client.send_conversations(conversation(feedback={"user_rating": 0.8, "typo": 1, "annotations": []}))

    (item,) = answer.json["items"]
    assert (answer.status, item["status"]) == (202, "accepted")
    assert [note.split(": ")[1] for note in item["notes"]] == ["/feedback/typo", "/feedback/user_rating"]
    assert client.get(f"{PATH}/c-1").json["annotations"] == []


@pytest.mark.parametrize(
    ("feedback", "pointer"),
    [
        ({"user_rating": 99}, "/user_rating"),
        ({"user_rating": 5, "typo": 1}, "/typo"),
        ({"annotations": [{"type": "x", "label": "y", "annotator_id": "z", "turn_id": 77}]}, "/annotations/0/turn_id"),
        ({}, None),
        ([], None),
    ],
)
def test_bad_feedback_is_refused_with_a_pointer(client: Client, feedback: Any, pointer: str | None) -> None:
    client.send_conversations(conversation())

    answer = client.post(f"{PATH}/c-1/feedback", feedback)

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json.get("pointer") == pointer


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"conversations": null}', 422),
        (b'{"conversations": []}', 422),
    ],
)
def test_a_body_that_holds_no_conversations_is_refused_as_a_whole(client: Client, body: bytes, status: int) -> None:
    answer = client.send("POST", PATH, body, JSON)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["detail"]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/c-1/feedback", "/api/v1/evaluations/query"])
def test_what_is_no_json_is_400_everywhere(client: Client, path: str) -> None:
    client.send_conversations(conversation())

    for body in (b"", b"nonsense", b'{"a": 1'):
        answer = client.send("POST", path, body, JSON)
        assert (answer.status, answer.json["title"]) == (400, "No JSON")
        assert answer.json["detail"].startswith("the body is ")


def test_ndjson_is_taken_line_by_line(client: Client) -> None:
    lines = [json.dumps(conversation("n-1")), "{broken", json.dumps(conversation("n-2"))]

    answer = client.send("POST", PATH, "\n".join(lines).encode(), {"Content-Type": "application/x-ndjson"})

    assert answer.status == 202
    assert statuses(answer.json["items"]) == ["accepted", "rejected", "accepted"]


def test_a_gzipped_body_is_taken(client: Client) -> None:
    body = gzip.compress(json.dumps({"conversations": [conversation("zipped")]}).encode())

    answer = client.send("POST", PATH, body, JSON | {"Content-Encoding": "gzip"})

    assert answer.status == 202


@pytest.mark.parametrize("body", [b"not gzip at all", gzip.compress(b"{}" * 50)[:-9]], ids=["none", "cut short"])
def test_broken_gzip_is_refused(client: Client, body: bytes) -> None:
    answer = client.send("POST", PATH, body, JSON | {"Content-Encoding": "gzip"})

    assert answer.status == 400
    assert "gzip" in answer.json["detail"]


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, JSON | {"Content-Encoding": "br"}])
def test_another_content_type_or_encoding_is_refused(client: Client, headers: dict[str, str]) -> None:
    answer = client.send("POST", PATH, b"{}", headers)

    assert answer.status == 415
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_over_the_limit_is_refused_however_it_comes(start: Start) -> None:
    client = Client(start(limits={"body_bytes": 10_000}))
    body = json.dumps({"conversations": [conversation(metadata={"pad": "x" * 20_000})]}).encode()

    answers = [
        client.send("POST", PATH, body, JSON),
        client.send("POST", PATH, iter([body[:9_000], body[9_000:]]), JSON),
        client.send("POST", PATH, gzip.compress(body), JSON | {"Content-Encoding": "gzip"}),
    ]

    for answer in answers:
        assert answer.status == 413
        assert "10000 bytes" in answer.json["detail"]


def test_more_items_or_turns_than_the_limit_are_refused_with_the_limit(start: Start) -> None:
    client = Client(start(limits={"batch": 2, "turns": 3}))
    long = conversation(turns=[{"turn_id": n, "role": "assistant", "content": f"{n}"} for n in range(4)])

    batch = client.send_conversations(*[conversation(f"c{n}") for n in range(3)])
    turns = client.send_conversations(long, conversation("fits"))

    assert batch.status == 413
    assert "2" in batch.json["detail"]
    assert statuses(turns.json["items"]) == ["rejected", "accepted"]
    assert "3" in turns.json["items"][0]["reason"]


def test_lists_are_filtered_and_paged(client: Client) -> None:
    client.send_conversations(*[conversation(f"c{n}", agent_version=f"v{n % 2}") for n in range(5)])

    first = client.get(f"{PATH}?agent_versions=v0&limit=2").json
    second = client.get(f"{PATH}?agent_versions=v0&limit=2&cursor={quote(first['next_cursor'], safe='')}").json

    names = [item["conversation_id"] for item in first["items"] + second["items"]]
    assert sorted(names) == ["c0", "c2", "c4"]
    assert second["next_cursor"] is None
    assert client.get(f"{PATH}?status=done&status=failed").json["items"] == []
    assert len(client.get(f"{PATH}?accepted_from=2020-01-01T00:00:00Z").json["items"]) == 5
    assert client.get(f"{PATH}?accepted_before=2020-01-01T00:00:00Z").json["items"] == []


@pytest.mark.parametrize(
    "parameters",
    [
        "cursor=nonsense",
        "limit=0",
        "limit=101",
        "limit=x",
        "offset=-1",
        "status=processed",
        "accepted_from=yesterday",
        "accepted_from=2020-01-01T00:00:00",
    ],
)
def test_a_bad_parameter_is_refused(client: Client, parameters: str) -> None:
    answer = client.get(f"{PATH}?{parameters}")

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["parameter"] for one in answer.json["errors"]] == [parameters.partition("=")[0]]
    assert answer.json["errors"][0]["reason"] in answer.json["detail"]
