"""Is every secret masked, and nothing else?"""

from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.masking import masked


def test_secrets_are_masked_wherever_they_are() -> None:
    assert masked("postgresql://me:hunter2@db/x") == "postgresql://***@db/x"
    assert masked({"api_key": "abc", "url": "https://u:p@h", "keys": 3}) == {
        "api_key": "***",
        "url": "https://***@h",
        "keys": "***",
    }
    assert masked({"judges": [{"token": "abc"}, "https://u:p@h"]}) == {"judges": [{"token": "***"}, "https://***@h"]}
    assert masked("hunter2", "evaluators.judge.token") == "***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("x://db/x?password=hunter2&a=1", "x://db/x?password=***&a=1"),
        ("x://db/x?a=1&apiKey=hunter2", "x://db/x?a=1&apiKey=***"),
        ("x://me:hunt@er2@db/x?access_token=hunter2#top", "x://***@db/x?access_token=***#top"),
        ("x://hunter2@db", "x://***@db"),
    ],
)
def test_an_address_shows_neither_its_user_nor_secrets_in_its_query(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    "name", ["api_key", "apiKey", "apikey", "key_file", "DB_PASSWORD", "secret", "auth-token", "pwd"]
)
def test_a_name_that_says_secret_hides_its_value(name: str) -> None:
    assert masked("hunter2", name) == "***"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (8080, "port"),
        ("2048", "max_output_tokens"),
        (True, "needs_key"),
        ("", "token"),
        (None, "key"),
        ("me", "author"),
    ],
)
def test_what_is_no_secret_is_shown(value: object, name: str) -> None:
    assert masked(value, name) == value


def test_a_path_is_shown_as_it_is() -> None:
    assert masked(Path("/data/x")) == "/data/x"
