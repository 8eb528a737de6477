from __future__ import annotations

import pytest

from healing_eval.backends.redis.address import read_address, tagged
from healing_eval.errors import ConfigError


def test_an_address_says_where_and_under_which_prefix() -> None:
    address = read_address("redis://user:hidden@example.org:6380/3?prefix=blue")

    assert (address.connecting["host"], address.connecting["port"], address.connecting["db"]) == (
        "example.org",
        6380,
        3,
    )
    assert address.prefix == "blue"
    assert "hidden" not in address.shown


def test_the_prefix_is_ours_unless_another_is_asked_for() -> None:
    assert tagged(read_address("redis://localhost").prefix, "checks") == "healing-eval:{checks}"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://localhost/first", "the database must be a number, got 'first'"),
        ("redis://localhost:port/0", "port"),
        ("redis://localhost/0?prefx=a", "unknown option 'prefx'; known: prefix"),
        ("redis://localhost/0?socket_timeout=60", "unknown option 'socket_timeout'"),
        ("redis://localhost/0?ssl_cert_reqs=none", "unknown option 'ssl_cert_reqs'"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason.replace("?", r"\?")) as refusal:
        read_address(url)

    assert "expected redis://" in str(refusal.value)


def test_options_of_tls_go_with_tls() -> None:
    assert read_address("rediss://localhost/0?ssl_cert_reqs=none").connecting["ssl_cert_reqs"] == "none"
