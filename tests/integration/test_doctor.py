"""Does the doctor ask the servers that settings name, without changing anything there?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from healing_eval.backends.sql.migrate import HEAD
from healing_eval.cli.main import main
from healing_eval.masking import masked
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import free_port
from healing_eval.testing.servers.redis import RedisServer

pytestmark = pytest.mark.services

Examine = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def examine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run the doctor with these addresses; gives its exit code and its checks by name."""
    monkeypatch.chdir(tmp_path)

    def run(**settings: str) -> tuple[int, dict[str, Any]]:
        for name, value in settings.items():
            monkeypatch.setenv(f"HEALING_EVAL_{name.upper()}", value)
        done = CliRunner().invoke(main, ["doctor", "--format", "json"])
        return done.exit_code, {check["name"]: check for check in msgspec.json.decode(done.output)}

    return run


def test_servers_that_are_well_tell_their_versions_and_the_schema(
    examine: Examine, postgresql_url: str, redis_url: str, redis_server: RedisServer
) -> None:
    code, checks = examine(store_url=postgresql_url, stream_url=redis_url)

    version = next(line[14:] for line in redis_server.ask_all("INFO server").splitlines() if "redis_version:" in line)
    assert code == 0
    assert checks["store"]["status"] == checks["stream"]["status"] == "ok"
    assert f"schema {HEAD}" in checks["store"]["detail"]
    assert "PostgreSQL 1" in checks["store"]["detail"]
    assert f"Redis {version}" in checks["stream"]["detail"]
    assert "data folder" not in checks, "nothing is written there"


def test_an_empty_database_is_well_and_stays_empty(
    examine: Examine, postgresql: Postgresql, new_postgresql_url: str
) -> None:
    code, checks = examine(store_url=new_postgresql_url)

    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert code == 0
    assert "no schema yet" in checks["store"]["detail"]
    assert "stream" not in checks, "none is named"
    assert postgresql.sql(tables, database=new_postgresql_url.rpartition("/")[2]) == "0"


def test_asking_a_redis_leaves_nothing_there(
    examine: Examine, new_redis: Callable[..., RedisServer], postgresql_url: str
) -> None:
    server = new_redis(aof=None)
    server.start()

    code, _ = examine(store_url=postgresql_url, stream_url=server.url)

    assert code == 0
    assert server.ask("DBSIZE") == ":0"


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_cache_that_is_well_answers(examine: Examine, postgresql_url: str, redis_url: str, kind: str) -> None:
    url = redis_url if kind == "redis" else postgresql_url

    code, checks = examine(cache_url=url)

    assert code == 0
    assert checks["cache"]["status"] == "ok"
    assert checks["cache"]["detail"] == f"{masked(url)} answers"


def test_a_cache_in_the_store_is_there_from_the_start_on(examine: Examine, new_postgresql_url: str) -> None:
    code, checks = examine(store_url=new_postgresql_url, cache_url=new_postgresql_url)

    assert code == 0
    assert checks["cache"]["status"] == "ok"
    assert "in the store" in checks["cache"]["detail"]


def test_a_cache_elsewhere_needs_a_schema_and_the_doctor_says_how(
    examine: Examine, postgresql_url: str, new_postgresql_url: str
) -> None:
    code, checks = examine(store_url=postgresql_url, cache_url=new_postgresql_url)

    assert code == 1
    assert "healing-eval migrate" in checks["cache"]["detail"]


def test_where_nothing_is_to_be_remembered_no_cache_is_asked(examine: Examine) -> None:
    code, checks = examine(cache_url=f"redis://127.0.0.1:{free_port()}", cache__keep_days="0")

    assert code == 0
    assert "cache" not in checks


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("CREATE TABLE alembic_version AS SELECT '9999' AS version_num", "schema version '9999'"),
        ("CREATE ROLE visitor LOGIN; REVOKE CREATE ON SCHEMA public FROM public", "may make no tables"),
    ],
)
def test_a_store_we_could_not_work_on_fails_and_names_the_setting(
    examine: Examine, postgresql: Postgresql, new_postgresql_url: str, change: str, said: str
) -> None:
    postgresql.sql(change, database=new_postgresql_url.rpartition("/")[2])
    user = "visitor" if "visitor" in change else "postgres"

    code, checks = examine(store_url=new_postgresql_url.replace("postgres@", f"{user}:s3cret@"))

    postgresql.sql("DROP ROLE IF EXISTS visitor")
    assert code == 1
    assert checks["store"]["status"] == "fail"
    assert checks["store"]["detail"].startswith("setting 'store_url'")
    assert said in checks["store"]["detail"]
    assert "HEALING_EVAL_STORE_URL" in checks["store"]["advice"]
    assert "s3cret" not in str(checks)


def test_servers_that_are_not_there_fail_and_name_their_settings(examine: Examine) -> None:
    nobody = free_port()

    code, checks = examine(
        store_url=f"postgresql://ann:s3cret@127.0.0.1:{nobody}/db",
        stream_url=f"redis://:s3cret@127.0.0.1:{nobody}",
        cache_url=f"redis://:s3cret@127.0.0.1:{nobody}",
    )

    assert code == 1
    for name in ("store", "stream", "cache"):
        assert checks[name]["status"] == "fail"
        assert checks[name]["detail"].startswith(f"setting '{name}_url'")
        assert checks[name]["advice"].startswith("start the server, or correct HEALING_EVAL_")
    assert "s3cret" not in str(checks)


def test_a_redis_that_refuses_us_fails(
    examine: Examine, postgresql_url: str, new_redis: Callable[..., RedisServer]
) -> None:
    server = new_redis(aof=None)
    server.start()
    server.ask("CONFIG SET requirepass right")

    code, checks = examine(store_url=postgresql_url, stream_url=server.url.replace("//", "//:wr0ng@"))

    assert code == 1
    assert checks["stream"]["detail"].startswith("setting 'stream_url': redis at redis://***@")
    assert "refuses us" in checks["stream"]["detail"]
    assert checks["stream"]["advice"].startswith("correct HEALING_EVAL_STREAM_URL")
