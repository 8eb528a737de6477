from __future__ import annotations

from collections.abc import Iterator

import pytest

from healing_eval.testing.servers.postgresql import Postgresql, program
from healing_eval.testing.servers.process import MissingServer

pytestmark = pytest.mark.services


@pytest.fixture
def server(postgresql: Postgresql) -> Iterator[Postgresql]:
    assert postgresql.runs  # so that this one can be made as well
    own = Postgresql(durable=True)
    own.start()
    yield own
    own.remove()


def test_a_server_keeps_what_was_stored_over_a_kill_and_a_stop(server: Postgresql) -> None:
    server.sql("CREATE TABLE kept (number integer)", "INSERT INTO kept VALUES (7)")

    server.kill()
    server.start()
    server.stop()
    server.start()

    assert server.sql("SELECT number FROM kept") == "7"


def test_each_database_is_empty(server: Postgresql) -> None:
    first, second = server.new_database(), server.new_database()

    server.sql("CREATE TABLE here (number integer)", database=first.rpartition("/")[2])

    assert server.sql("SELECT to_regclass('here') IS NULL", database=second.rpartition("/")[2]) == "t"


def test_a_statement_that_fails_says_why(server: Postgresql) -> None:
    with pytest.raises(RuntimeError, match='relation "nothing" does not exist'):
        server.sql("SELECT * FROM nothing")


def test_a_program_that_is_missing_names_the_package() -> None:
    with pytest.raises(MissingServer, match="apt-get install postgresql-15"):
        program("no-such-program")
