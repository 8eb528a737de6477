"""Would the image work? Replays the steps of deploy/Dockerfile without Docker, and starts what they made.

A scratch folder gets what COPY names and nothing else; the install steps run there in an environment of their own. What
comes out runs with the network cut and no variables but the image's own; where we are root, as the image's user.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "deploy/Dockerfile"
USER = "10001"
IDENTITY = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
PORT = 8080
START_SECONDS = 60.0
SCRIPT = "tools/install-release.sh"


def main() -> None:
    """Replay, then try; the first step that fails ends it with its output."""
    with tempfile.TemporaryDirectory(prefix="healing-eval-image-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # the image's user has to get in
        venv = scratch / "venv"
        python = interpreter()
        build(scratch / "build", venv, python)
        data = scratch / "data"
        data.mkdir()
        if os.geteuid() == 0:
            os.chown(data, int(USER), int(USER))
        try_out(venv, data, python)


def interpreter() -> str:
    """Find a Python that the image's user may run too: root's own is often within root's folder."""
    if os.geteuid() != 0:
        return sys.executable
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        # Through a shell: setpriv itself still has root's rights when it looks for the program.
        probe = ["setpriv", *IDENTITY, "sh", "-c", f"exec {shlex.quote(python)} -c 'import ensurepip, venv'"]
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:  # noqa: S603 - ours
            return python
    sys.exit("no Python with ensurepip that others than root may run; on Debian: apt-get install python3-venv")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Give each instruction of a Dockerfile with its arguments; continued lines are joined, comments left out."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, arguments = line.partition(" ")
        yield name.upper(), arguments.strip()


def build(folder: Path, venv: Path, python: str) -> None:
    """Do what the first stage does: copy, then install."""
    folder.mkdir()
    for name, arguments in instructions(DOCKERFILE.read_text()):
        words = shlex.split(arguments) if name in {"COPY", "RUN"} else []
        if name == "COPY" and not words[0].startswith("--from="):
            copy(words[:-1], folder / words[-1])
        elif name == "RUN" and SCRIPT in words:
            began = time.monotonic()
            step = ["sh", SCRIPT, words[words.index(SCRIPT) + 1], str(venv)]
            subprocess.run(step, cwd=folder, check=True, env=os.environ | {"PYTHON": python})  # noqa: S603 - ours
            say(f"{' '.join(step[1:3])}: {time.monotonic() - began:.0f} s")
    size = sum(file.stat().st_size for file in venv.rglob("*") if file.is_file() and not file.is_symlink())
    say(f"environment: {size / 1e6:.0f} MB")


def copy(sources: Sequence[str], target: Path) -> None:
    """Copy as COPY does: of a folder its content, a file into a folder that ends with a slash or exists."""
    for source in sources:
        found = ROOT / source
        if found.is_dir():
            shutil.copytree(found, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, target)


def try_out(venv: Path, data: Path, python: str) -> None:
    """Run the installed command as the image does."""
    program = str(venv / "bin/healing-eval")
    environment = {"PATH": f"{venv}/bin:/usr/bin:/bin", "HEALING_EVAL_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}
    alone = confined(python)
    for arguments in (["--version"], ["doctor"]):
        done = subprocess.run(  # noqa: S603 - ours, and no shell
            [*alone, program, *arguments], env=environment, cwd=data, check=False, stdout=subprocess.PIPE, text=True
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stdout}")
        say(f"{' '.join(arguments)}: {done.stdout.strip().splitlines()[-1]}")
    # With a judge, so that its prompts are read as well.
    judge = {"HEALING_EVAL_JUDGE__MODEL": "openai:none", "OPENAI_API_KEY": "none"}
    inside = [*alone, python, str(Path(__file__).resolve()), program]
    sys.exit(subprocess.run(inside, env=environment | judge, cwd=data, check=False).returncode)  # noqa: S603 - ours


def confined(python: str) -> list[str]:
    """Name the command that runs another one without a network, and where we are root as the image's user."""
    if os.geteuid() == 0:
        return ["unshare", "--net", python, "-c", LOOPBACK, "setpriv", *IDENTITY]
    alone = ["unshare", "--map-root-user", "--net", python, "-c", LOOPBACK]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode == 0:  # noqa: S603 - ours
        return alone
    say("the network is not cut: this machine lets only root do so")
    return []


LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:  # SIOCSIFFLAGS: up and running
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Brings up the loopback of a new network, which nothing else is in, and becomes the command behind it."""


def serve_for_a_moment(program: str) -> None:
    """Start `up`, ask whether it is ready, and stop it."""
    began = time.monotonic()
    server = subprocess.Popen([program, "up"], stderr=subprocess.PIPE, text=True)  # noqa: S603 - ours, and no shell
    try:
        while not is_ready():
            if server.poll() is not None or time.monotonic() - began > START_SECONDS:
                server.kill()
                sys.exit(f"up: not ready\n{server.communicate()[1]}")
            time.sleep(0.05)
        say(f"up: ready after {time.monotonic() - began:.1f} s, as user {os.geteuid()}")
    finally:
        server.terminate()
    code = server.wait(START_SECONDS)
    say(f"up: stopped with {code}")
    sys.exit(code)


def is_ready() -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=4)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve_for_a_moment(sys.argv[1]) if len(sys.argv) > 1 else main()
