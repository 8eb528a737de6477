from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from healing_eval.testing.servers.process import wait_until_ready
from healing_eval.testing.servers.proxy import FaultProxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    ended = 0

    def shutdown_request(self, request: object) -> None:
        self.ended += 1
        super().shutdown_request(request)  # pyright: ignore[reportArgumentType]

    def handle_error(self, request: object, client_address: object) -> None:
        """A reset is what is tested here."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.server_address[1]) as proxy:
        yield proxy


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(connection: socket.socket, said: bytes = b"hello") -> bytes:
    connection.sendall(said)
    return hear(connection, len(said))


def hear(connection: socket.socket, size: int) -> bytes:
    heard = b""
    while len(heard) < size and (more := connection.recv(65536)):
        heard += more
    return heard


def connect_and_ask(proxy: FaultProxy) -> bytes:
    with connect(proxy) as connection:
        return ask(connection)


def hears_nothing(connection: socket.socket, seconds: float = 0.1) -> bool:
    connection.settimeout(seconds)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)
    return False


def test_it_passes_on_what_is_said_and_answered(proxy: FaultProxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        assert ask(one, b"one" * 100_000) == b"one" * 100_000
        assert ask(other, b"other") == b"other"
        assert proxy.connections == 2

    wait_until_ready(lambda: proxy.connections == 0, "the end of both")


def test_while_frozen_it_accepts_and_answers_nothing_and_then_delivers_what_it_held(proxy: FaultProxy) -> None:
    with connect(proxy) as before:
        assert ask(before) == b"hello"

        proxy.freeze()
        before.sendall(b"late")
        with connect(proxy) as during:
            during.sendall(b"new")

            assert hears_nothing(before)
            assert hears_nothing(during)

            proxy.thaw()

            assert hear(before, 4) == b"late"
            assert hear(during, 3) == b"new"


def test_what_is_abandoned_stays_silent_and_new_connections_work(proxy: FaultProxy) -> None:
    with connect(proxy) as before:
        assert ask(before) == b"hello"

        proxy.abandon()
        before.sendall(b"anybody there?")

        assert hears_nothing(before)
        with connect(proxy) as after:
            assert ask(after) == b"hello"
        assert hears_nothing(before)


def test_the_server_may_notice_that_the_abandoned_are_gone_while_they_hear_nothing(
    proxy: FaultProxy, server: Server
) -> None:
    with connect(proxy) as before:
        assert ask(before) == b"hello"
        proxy.abandon()
        with connect(proxy) as after:
            assert ask(after) == b"hello"

            proxy.notice()

            wait_until_ready(lambda: server.ended == 1, "the end of the abandoned one")
            assert hears_nothing(before)
            assert ask(after) == b"hello"


def test_what_is_cut_is_reset_and_new_connections_work(proxy: FaultProxy) -> None:
    with connect(proxy) as before:
        assert ask(before) == b"hello"

        proxy.cut()

        with pytest.raises(ConnectionError):
            before.recv(1)
    with connect(proxy) as after:
        assert ask(after) == b"hello"


def test_it_refuses_until_it_accepts_again(proxy: FaultProxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionError):
        connect_and_ask(proxy)

    proxy.accept()

    assert connect_and_ask(proxy) == b"hello"


def test_answers_may_be_lost_of_what_was_done(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        proxy.loses_answers = True
        connection.sendall(b"lost")
        assert hears_nothing(connection)

        proxy.loses_answers = False

        assert ask(connection) == b"hello"


@pytest.mark.parametrize("slowness", [{"delay_seconds": 60.0}, {"bytes_per_second": 0.1}])
def test_what_is_slow_does_not_hold_up_what_comes_when_it_is_fast_again(
    proxy: FaultProxy, slowness: dict[str, float]
) -> None:
    (name,) = slowness
    fast = getattr(proxy, name)
    with connect(proxy) as slow:
        setattr(proxy, name, slowness[name])
        slow.sendall(b"slow")
        assert hears_nothing(slow)

        setattr(proxy, name, fast)

        with connect(proxy) as other:
            assert ask(other) == b"hello"
        assert hears_nothing(slow)


def test_a_server_that_is_not_there_is_a_connection_that_ends(proxy: FaultProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with FaultProxy(port) as nowhere, connect(nowhere) as connection:
        assert connection.recv(1) == b""
