from __future__ import annotations

import pytest

from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.sql.postgresql import read_address
from healing_eval.errors import ConfigError

URL = "postgresql://ann:s3cret@db.example:5433/evals"


def test_an_address_says_where_and_how() -> None:
    address = read_address(f"{URL}?sslmode=require&pool_size=3&command_timeout=1.5&application_name=worker")

    assert (address.url.host, address.url.port, address.url.database) == ("db.example", 5433, "evals")
    assert (address.ssl, address.connections, address.answer_seconds) == ("require", 3, 1.5)
    assert address.application_name == "worker"


def test_an_address_never_tells_its_password() -> None:
    assert "s3cret" not in str(read_address(URL))


def test_a_socket_is_named_as_a_host() -> None:
    address = read_address("postgresql://ann@/evals?host=/var/run/postgresql")

    assert address.url.query == {"host": "/var/run/postgresql"}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("postgresql://ann:s3cret@db:port/evals", r"store_url.*must be postgresql://"),
        ("postgresql://ann:s3cret@db", r"store_url.*names no database"),
        (f"{URL}?pool=3", r"store_url.*no option 'pool'; known: pool_size"),
        (f"{URL}?pool_size=many", r"store_url.*'pool_size' must be a number, got 'many'"),
    ],
)
def test_a_wrong_address_is_refused_with_what_is_wrong_but_not_the_password(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refusal:
        PostgresqlLedger.from_url(url)

    assert "s3cret" not in str(refusal.value)
