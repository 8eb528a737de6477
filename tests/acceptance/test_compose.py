"""Does the Compose file say what the code says? No Docker runs here: it is read, and what it starts is tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tests.acceptance.conftest import Running

from healing_eval.backends.redis.address import read_address as read_redis
from healing_eval.backends.sql.postgresql import CONNECTIONS, OLDEST_SERVER
from healing_eval.backends.sql.postgresql import read_address as read_postgresql
from healing_eval.cli.main import main
from healing_eval.cli.processes import STOP_SECONDS
from healing_eval.config import Settings, read_settings
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import Process, free_port, wait_until_ready
from healing_eval.testing.servers.redis import RedisServer

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "deploy/compose.yaml"
PASSWORDS = {"POSTGRES_PASSWORD": "0a1b2c", "REDIS_PASSWORD": "3d4e5f"}
OURS = ("api", "worker")

_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class Unset(Exception):
    """A variable that has to be set is not."""


def services(variables: Mapping[str, str] = PASSWORDS) -> dict[str, Any]:
    """Read the services with the variables filled in, as Compose does."""

    def value(found: re.Match[str]) -> str:
        name, kind, text = found.groups()
        if not variables.get(name) and kind != "-":
            raise Unset(f"{name}: {text}")
        return variables.get(name) or text

    return yaml.safe_load(_VARIABLE.sub(value, COMPOSE.read_text()))["services"]


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


@pytest.fixture
def in_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Settings]:
    """Read the settings as a service finds them."""

    def read(service: str) -> Settings:
        for name in [name for name in os.environ if name.startswith("HEALING_EVAL_")]:
            monkeypatch.delenv(name)
        for name, value in services()[service]["environment"].items():
            if value is not None:
                monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        return read_settings()

    return read


def test_the_compose_file_is_one_by_its_schema() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]

    done = subprocess.run(check, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_schema_would_find_a_fault(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("  worker:\n", "  worker:\n    depend_on: [api]\n"))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)]

    done = subprocess.run(check, capture_output=True, text=True, check=False)

    assert "depend_on" in done.stdout


@pytest.mark.parametrize("name", PASSWORDS)
def test_there_is_no_password_by_default(name: str) -> None:
    given = {other: value for other, value in PASSWORDS.items() if other != name}

    with pytest.raises(Unset, match=name):
        services(given)


@pytest.mark.parametrize("service", OURS)
def test_every_setting_in_it_is_known_and_valid(service: str, in_container: Callable[[str], Settings]) -> None:
    settings = in_container(service)

    store, stream = read_postgresql(settings.store_url or ""), read_redis(settings.stream_url).connecting
    database = services()["postgres"]["environment"]
    assert (store.url.host, store.url.port, store.url.password) == ("postgres", 5432, database["POSTGRES_PASSWORD"])
    assert (store.url.username, store.url.database) == (database["POSTGRES_USER"], database["POSTGRES_DB"])
    assert (stream["host"], stream["password"]) == ("redis", services()["redis"]["environment"]["REDISCLI_AUTH"])
    assert settings.log.format == "json"


@pytest.mark.parametrize("service", OURS)
def test_names_without_a_value_are_settings_or_known_to_a_provider(service: str) -> None:
    passed_on = {name for name, value in services()[service]["environment"].items() if value is None}

    ours = {name for name in passed_on if name.startswith("HEALING_EVAL_")}
    assert ours == {"HEALING_EVAL_JUDGE__MODEL", "HEALING_EVAL_TELEMETRY__OTLP_ENDPOINT"}
    assert passed_on >= {"OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"}
    assert passed_on >= {"OLLAMA_BASE_URL", "OLLAMA_CONTEXT_LENGTH"}


@pytest.mark.parametrize("service", OURS)
def test_its_commands_are_ours(service: str) -> None:
    verb, *arguments = services()[service]["command"]
    with click.Context(main) as ctx:
        command = main.get_command(ctx, verb)
        assert command is not None

        parsed = command.make_context(verb, list(arguments), parent=ctx)

    assert parsed.params["workers" if verb == "serve" else "processes"] == 2


def test_ports_are_where_we_listen(in_container: Callable[[str], Settings]) -> None:
    api, worker = in_container("api"), in_container("worker")
    processes = int(services()["worker"]["command"][-1])

    assert services()["api"]["ports"] == [f"127.0.0.1:{api.port}:{api.port}"], "not to the world unless asked for"
    assert asked_ports(services()["api"]["healthcheck"]["test"]) == [api.port]
    theirs = [worker.worker.port + place for place in range(processes)]
    assert asked_ports(services()["worker"]["healthcheck"]["test"]) == theirs


def asked_ports(test: list[str]) -> list[int]:
    assert test[:3] == ["CMD", "python", "-c"]
    return [int(port) for port in test[4:]]


@pytest.mark.parametrize("service", OURS)
def test_a_health_check_tells_a_server_that_is_ready_from_one_that_is_not(
    start: Callable[..., Running], service: str
) -> None:
    code = services()[service]["healthcheck"]["test"][3]
    listening = start().address.rpartition(":")[2]
    nowhere = {"http_proxy": "http://127.0.0.1:1"}  # which must not be asked

    def check(*ports: str) -> int:
        done = subprocess.run([sys.executable, "-c", code, *ports], env=nowhere, capture_output=True, check=False)
        return done.returncode

    assert check(listening) == 0
    assert check(str(free_port())) != 0
    assert check(listening, str(free_port())) != 0, "each of them has to be ready"


@pytest.mark.parametrize("service", OURS)
def test_a_service_waits_for_healthy_servers_and_has_time_to_stop(service: str) -> None:
    found = services()[service]

    assert found["depends_on"] == {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}
    assert seconds(found["stop_grace_period"]) > STOP_SECONDS
    assert all("healthcheck" in services()[name] for name in found["depends_on"])


def test_the_servers_can_only_be_reached_from_inside() -> None:
    networks = yaml.safe_load(COMPOSE.read_text())["networks"]

    assert networks["inside"]["internal"]
    for name in ("postgres", "redis"):
        assert services()[name]["networks"] == ["inside"]
        assert "ports" not in services()[name]


def test_the_database_is_one_we_work_with_and_takes_all_our_connections() -> None:
    postgres = services()["postgres"]
    version = int(re.findall(r"\d+", postgres["image"])[0])
    processes = 2 + 2 + 2  # those of both services, and their parents at the start
    pools = 2  # the ledger's and the catalog's

    assert version >= OLDEST_SERVER
    assert int(postgresql_options(postgres)["max_connections"]) >= processes * pools * CONNECTIONS + 3


def postgresql_options(service: Mapping[str, Any]) -> dict[str, str]:
    program, *options = service["command"]
    assert program == "postgres"
    return dict(option.removeprefix("-c").split("=", 1) for option in options)


@pytest.mark.services
def test_a_real_postgresql_takes_the_options(new_postgresql: Callable[..., Postgresql]) -> None:
    options = postgresql_options(services()["postgres"])
    server = new_postgresql(settings=options)

    server.start()

    taken = {name: server.sql(f"SHOW {name}") for name in options}
    assert taken == options


@pytest.mark.services
def test_a_real_redis_takes_the_options(new_redis: Callable[..., RedisServer]) -> None:
    program, *options = services()["redis"]["command"]
    password = PASSWORDS["REDIS_PASSWORD"]
    server = new_redis(extra=options)

    Process.start(server)  # not `RedisServer.start`, which asks without a password
    wait_until_ready(lambda: server.ask(f"AUTH {password}") == "+OK", "redis")

    assert program == "redis-server"
    assert server.ask("PING").startswith("-NOAUTH")
    assert "maxmemory_policy:noeviction" in asked(server, password, "INFO memory")


def asked(server: RedisServer, password: str, command: str) -> str:
    return server.ask_all(f"AUTH {password}\r\n{command}")


@pytest.mark.services
def test_the_api_without_a_key_says_in_one_line_what_to_do_and_starts_nothing(
    new_postgresql_url: str, redis_url: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in services()["api"]["environment"].items() if value is not None}
    environment |= {"HEALING_EVAL_STORE_URL": new_postgresql_url, "HEALING_EVAL_STREAM_URL": redis_url, "PATH": ""}
    command = [*services()["api"]["command"], "--port", "0"]

    done = subprocess.run(
        [sys.executable, "-m", "healing_eval.cli.main", *command],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("error: '0.0.0.0' can be reached from other machines and there is no API key")
    assert done.stderr.count("\n") == 1
