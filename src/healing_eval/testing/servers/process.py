"""How is a real server started as a child process, disturbed, and ended, leaving nothing behind?

No shell and no daemon. A server dies with the process that started it, by the kernel's word, even when that is killed;
the kernel ties this to the thread, so servers are started from the main thread. `setpriv`, which every Debian has, asks
for that, and becomes the server itself, so that signals reach it.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

READY_SECONDS = 30.0
GRACE_SECONDS = 10.0


class MissingServer(Exception):
    """A server's program is not on this machine."""


def binary(name: str, *folders: str, package: str) -> str:
    """Find a server's program.

    Args:
        name: of the program.
        folders: where to look before the PATH, the best first.
        package: the Debian package that holds it.

    Raises:
        MissingServer: there is none, with the package to install.
    """
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingServer(f"no {name} on this machine; on Debian: apt-get install {package}")
    return found


_PORTS = range(15_000, 32_000)
"""Below those the kernel gives to whoever connects, who would take a port between its choice and its use."""
_given_out: set[int] = set()


def free_port() -> int:
    """Find a loopback port that nothing listens on, and that was not given out here before."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given_out:
                _given_out.add(port)
                return port


def work_folder(name: str, user: str | None = None) -> Path:
    """Make a folder under the system's own temporary one: a user other than root cannot enter pytest's."""
    folder = Path(tempfile.mkdtemp(prefix=f"healing-eval-{name}-"))
    if user and os.geteuid() == 0:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def wait_until_ready(is_ready: Callable[[], object], what: str, seconds: float = READY_SECONDS) -> None:
    """Ask until it says yes; an exception is a no."""
    deadline = time.monotonic() + seconds
    last: object = "it said no"
    while time.monotonic() < deadline:
        try:
            if is_ready():
                return
        except Exception as error:  # noqa: BLE001 - a client may raise anything while its server starts
            last = error
        time.sleep(0.02)
    raise TimeoutError(f"{what} was not ready within {seconds:g} s: {last!r}")


class Process:
    """One server. `user` is whom to become where we are root, since some refuse to run as root.

    `orphan_signal` is what it gets when we die: one that has children of its own must be let end them.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        orphan_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        identity = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user and os.geteuid() == 0 else []
        self.command = ["setpriv", *identity, "--pdeathsig", orphan_signal.name[3:], "--", *map(str, command)]
        self.folder = folder
        self._stop_signal = stop_signal
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child is not None, "it was not started"
        return self._child.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it, in its folder; what it prints goes to `log` there."""
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - the command is ours, and there is no shell
                self.command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a crash does."""
        self._signal(signal.SIGKILL)
        self._wait(GRACE_SECONDS)

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it in order; kill it when it takes too long."""
        if not self.runs:
            return
        self.resume()
        self._signal(self._stop_signal)
        try:
            self._wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def remove(self) -> None:
        """Kill it and remove its folder."""
        if self.runs:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        assert self._child is not None, "it was not started"
        if self.runs:
            self._child.send_signal(number)

    def _wait(self, seconds: float) -> None:
        assert self._child is not None, "it was not started"
        self._child.wait(seconds)
