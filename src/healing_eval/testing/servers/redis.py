"""How is a real Redis started for a test or a benchmark? Without a driver: it is ready when it answers PING."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Literal

from healing_eval.testing.servers.process import Process, binary, free_port, wait_until_ready, work_folder

ASK_SECONDS = 1.0


class RedisServer(Process):
    """One Redis on loopback, on the same port and in the same folder however often it is started."""

    def __init__(self, aof: Literal["everysec", "always"] | None = "everysec", extra: Sequence[str] = ()) -> None:
        """Make one, not started yet.

        Args:
            aof: how often what was written is forced to the disk; None keeps nothing over a restart.
            extra: further arguments of the program, such as `--maxmemory 20mb`.

        Raises:
            MissingServer: there is no Redis on this machine.
        """
        program = binary("redis-server", package="redis-server")
        self.port = free_port()
        durable = ["--appendonly", "yes", "--appendfsync", aof] if aof else ["--appendonly", "no"]
        folder = work_folder("redis")
        super().__init__(
            [
                *(program, "--port", str(self.port), "--bind", "127.0.0.1", "--protected-mode", "no"),
                *("--daemonize", "no", "--save", "", "--dir", str(folder)),
                *durable,
                *extra,
            ],
            folder,
        )

    @property
    def url(self) -> str:
        """Its address, with the first of its databases."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers; while it reads its files back it does not."""
        super().start()
        wait_until_ready(lambda: self.runs and self.ask("PING") == "+PONG", f"redis on port {self.port}")

    def ask(self, command: str) -> str:
        """Send one command in plain words and give the first line of the answer."""
        return self._exchange(command, whole=False)

    def ask_all(self, command: str) -> str:
        """Send one command in plain words and give the whole answer as it came."""
        return self._exchange(command, whole=True)

    def _exchange(self, command: str, *, whole: bool) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=ASK_SECONDS) as connection:
            connection.sendall(command.encode() + b"\r\nQUIT\r\n")
            with connection.makefile("rb") as answer:
                return (answer.read() if whole else answer.readline()).decode(errors="replace").rstrip()
