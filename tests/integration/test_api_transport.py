"""What ordinary clients and load balancers do with a connection: probe with HEAD, ask with OPTIONS, send too much."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from structlog.testing import capture_logs
from tests.integration.conftest import Client, RunningServer, Start, conversation

PATH = "/api/v1/conversations"
MEBIBYTE = 1024 * 1024
LIMIT = 6 * MEBIBYTE


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/metrics",
        "/schema",
        PATH,
        f"{PATH}/a%2Fb",
        f"{PATH}/a%2Fb/body",
        "/api/v1/evaluations/a%2Fb",
        f"{PATH}/none",
        "/nowhere",
    ],
)
def test_head_is_answered_as_get_without_a_body(client: Client, path: str) -> None:
    client.send_conversations(conversation("a/b"))

    get, head = client.get(path), client.send("HEAD", path)

    assert head.status == get.status
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics":
        assert int(head.headers["content-length"]) == len(get.content)


def test_head_is_logged_as_what_it_is(client: Client) -> None:
    with capture_logs() as events:
        client.send("HEAD", PATH)

    assert [event["method"] for event in events if event["event"] == "request.handled"] == ["HEAD"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (PATH, "GET, HEAD, OPTIONS, POST"),
        (f"{PATH}/", "GET, HEAD, OPTIONS, POST"),
        (f"{PATH}/c-1", "GET, HEAD, OPTIONS"),
        (f"{PATH}/c-1/feedback", "OPTIONS, POST"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_and_a_refused_method_name_the_same_methods(client: Client, path: str, methods: str) -> None:
    asked, refused = client.send("OPTIONS", path), client.send("DELETE", path)

    assert (asked.status, asked.headers["allow"]) == (204, methods)
    assert (refused.status, refused.headers["allow"]) == (405, methods)
    assert refused.json["detail"] == f"this path takes: {methods}"


def refusal(server: RunningServer, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Post as an ordinary client does, which reads no answer before it has sent everything."""
    request = Request(f"http://127.0.0.1:{server.port}{PATH}", body, headers, method="POST")
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, ""
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["detail"]


@pytest.mark.parametrize("size", [LIMIT + 1, 3 * LIMIT])
def test_an_ordinary_client_sees_why_its_body_was_too_large(start: Start, size: int) -> None:
    server = start(limits={"body_bytes": LIMIT})

    status, detail = refusal(server, b" " * size, {"Content-Type": "application/json"})

    assert status == 413
    assert f"larger than {LIMIT} bytes" in detail


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/json", "Content-Encoding": "br"}, 415)],
)
def test_an_ordinary_client_sees_any_refusal_that_comes_before_its_body(
    client: Client, headers: dict[str, str], status: int
) -> None:
    assert refusal(client.server, b" " * (8 * MEBIBYTE), headers)[0] == status


def test_a_client_that_asks_first_is_refused_before_it_sends(client: Client) -> None:
    with closing(HTTPConnection("127.0.0.1", client.server.port, timeout=20)) as connection:
        connection.putrequest("POST", PATH)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(100 * MEBIBYTE))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()

        assert connection.getresponse().status == 413
