"""How does a test get a real PostgreSQL?

    server = Postgresql()
    server.start()
    url = server.new_database()

The data is in a folder of its own and nothing of it is durable unless asked for: a test that kills the server loses
nothing, since the operating system lives on. The programs refuse to run as root, so there they become the user that
Debian's package makes.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from healing_eval.testing.servers.process import Process, binary, free_port, wait_until_ready, work_folder

PACKAGE = "postgresql-15"
USER = "postgres"
VERSIONS = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version."""

_SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": "100", "shared_buffers": "128MB"}
_FAST = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


def program(name: str) -> str:
    """Find one of PostgreSQL's programs, of the newest version that is installed.

    Raises:
        MissingServer: there is none.
    """
    newest_first = sorted(VERSIONS.glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    return binary(name, *map(str, newest_first), package=PACKAGE)


class Postgresql(Process):
    """A PostgreSQL server on a loopback port of its own; `start` returns when it answers."""

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        """Make the cluster; it is not started.

        Args:
            durable: whether a commit reaches the disk, as benchmarks want it.
            settings: more lines of postgresql.conf.

        Raises:
            MissingServer: PostgreSQL is not installed.
        """
        postgres, initdb = program("postgres"), program("initdb")  # before anything is made
        self.port = free_port()
        folder = work_folder("postgresql", USER)
        chosen = {
            **_SETTINGS,
            **({} if durable else _FAST),
            "port": str(self.port),
            "unix_socket_directories": str(folder),
            **(settings or {}),
        }
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        super().__init__(
            [postgres, "-D", folder / "data", *options],
            folder,
            user=USER,
            stop_signal=signal.SIGINT,  # SIGTERM would wait for clients to leave
        )
        self._numbers = itertools.count(1)
        init = [initdb, "-D", folder / "data", "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        self._run(Process([*init, "--locale=C.UTF-8"], folder, user=USER).command)

    def start(self) -> None:
        super().start()
        try:
            wait_until_ready(self._answers, "PostgreSQL")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it printed:\n{self.log()[-2000:]}") from error

    @property
    def children(self) -> list[int]:
        """The ids of its other processes, one for each client among them."""
        found: list[int] = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has just ended
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.pid:
                    found.append(int(stat.parent.name))
        return found

    def kill(self) -> None:
        children = self.children
        super().kill()
        _signal_all(children, signal.SIGKILL)

    def pause(self) -> None:
        super().pause()
        _signal_all(self.children, signal.SIGSTOP)

    def resume(self) -> None:
        _signal_all(self.children, signal.SIGCONT)
        super().resume()

    def url(self, database: str = "postgres") -> str:
        """Say where a database is."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """Make a database that nobody has used, and say where it is."""
        name = f"test_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def sql(self, *statements: str, database: str = "postgres") -> str:
        """Run statements, one after the other, and give what the last one returned: a line per row, fields by `|`."""
        asked = [part for statement in statements for part in ("-c", statement)]
        connected = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        return self._run([program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *connected, *asked]).strip()

    def set_clock(self, database: str, ahead: timedelta) -> None:
        """Let a database believe that it is later, or earlier, than it is; in connections that are made from now on.

        Its `now()` is hidden behind one of ours, which is found before it.
        """
        shifted = f"pg_catalog.now() + interval '{ahead.total_seconds()} s'"
        self.sql(
            "CREATE SCHEMA wrong_clock",
            f"CREATE FUNCTION wrong_clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS $$ SELECT {shifted} $$",
            f"ALTER DATABASE {database} SET search_path = public, wrong_clock, pg_catalog",
            database=database,
        )

    def _answers(self) -> bool:
        if not self.runs:
            raise RuntimeError("it ended")
        asked = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0  # noqa: S603 - ours, and no shell

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.folder)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{command[-1]!r} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def _signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
