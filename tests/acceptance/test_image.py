"""Is the image what it should be? No Docker runs here: its Dockerfile is read; `make image-check` replays it."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.conftest import Running

from healing_eval.config import Settings
from healing_eval.testing.servers.process import free_port

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = ROOT / "deploy/Dockerfile"
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """Read it with the tool that replays it."""
    read = runpy.run_path(str(ROOT / "tools/check_image.py"))["instructions"]
    return list(read(DOCKERFILE.read_text()))


def of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_it_needs_nothing_but_what_is_copied_and_the_package_index() -> None:
    assert {name for name, _ in instructions()} == KNOWN, "nothing is added from elsewhere"
    assert not re.search(r"https?://(?!127\.0\.0\.1)|curl|wget|apt-get", DOCKERFILE.read_text())


def test_both_stages_have_one_python_that_we_support() -> None:
    bases = {base.split()[0] for base in of("FROM")}

    assert bases == {"python:3.11-slim-bookworm"}, "the environment moves from one to the other"


def test_nothing_is_installed_in_the_stage_that_runs() -> None:
    installing = [arguments for name, arguments in final_stage() if name == "RUN" and re.search(r"\bpip\b", arguments)]

    assert installing == []


def test_it_runs_as_somebody_who_is_not_root_and_owns_the_data_folder() -> None:
    user, _, group = of("USER")[-1].partition(":")
    made = " ".join(arguments for name, arguments in final_stage() if name == "RUN")
    data = dict(shlex.split(part)[0].split("=", 1) for part in of("ENV")[-1].split())["HEALING_EVAL_DATA_DIR"]

    assert int(user) == int(group) > 0, "by number: Kubernetes cannot tell by a name"
    assert f"--uid {user} " in made
    assert re.search(rf"install -d -o (\S+) -g \1 .*{data}$", made)


def test_its_commands_need_no_shell_so_that_signals_arrive() -> None:
    assert json.loads(of("ENTRYPOINT")[-1]) == ["healing-eval"]
    assert json.loads(of("CMD")[-1]) == ["--help"]


def test_its_ports_are_where_we_listen() -> None:
    settings = Settings()

    assert of("EXPOSE") == [f"{settings.port} {settings.worker.port}"]
    assert health_check()[3:] == [str(settings.port), str(settings.worker.port)]


def health_check() -> list[str]:
    return json.loads(of("HEALTHCHECK")[-1].partition("CMD ")[2])


def test_its_health_check_tells_a_live_server_from_none_and_from_one_that_hangs(start: Callable[..., Running]) -> None:
    python, option, code, *_ = health_check()
    server = start()
    listening, nobody = server.address.rpartition(":")[2], str(free_port())

    def check(*ports: str) -> int:
        return subprocess.run([sys.executable, option, code, *ports], capture_output=True, check=False).returncode

    assert python == "python"
    assert check(listening, nobody) == check(nobody, listening) == 0
    assert check(nobody, nobody) != 0
    server.process.send_signal(signal.SIGSTOP)
    assert check(listening, nobody) != 0


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    copied = [
        source
        for arguments in of("COPY")
        if not arguments.startswith("--from=")
        for source in shlex.split(arguments)[:-1]
    ]
    ignored, *exceptions = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    let_in = [line.removeprefix("!") for line in exceptions if line.startswith("!")]

    assert ignored == "*"
    assert all((ROOT / source).exists() for source in copied)
    assert all(source in let_in or source.partition("/")[0] in let_in for source in copied)


def test_everything_installed_is_pinned_by_hash() -> None:
    script = (ROOT / "tools/install-release.sh").read_text()
    installs = re.findall(r"-m pip (?:install|wheel) .*", script)

    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_the_pins_of_the_image_are_those_we_test_with() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==\S+", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))

    assert pins("server") <= pins("dev")
