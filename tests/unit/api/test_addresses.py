"""Ids in paths."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from litestar.types import HTTPScope

from healing_eval.api.addresses import pack, unpack

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40)


def packed(method: str, raw_path: str) -> str:
    scope = cast("HTTPScope", {"type": "http", "method": method, "path": "?", "raw_path": raw_path.encode()})
    pack(scope)
    return scope["path"]


@given(texts)
def test_any_id_survives_the_path(name: str) -> None:
    path = packed("POST", f"/api/v1/conversations/{quote(name, safe='')}/feedback")

    prefix, segment, tail = path.rsplit("/", 2)
    assert (prefix, tail) == ("/api/v1/conversations", "feedback")
    assert unpack(segment) == name


def test_a_tail_belongs_to_the_id_when_its_slash_is_encoded() -> None:
    assert unpack(packed("GET", "/api/v1/conversations/a%2Ffeedback").rsplit("/", 1)[1]) == "a/feedback"
    assert packed("GET", "/api/v1/conversations/a%2Ffeedback/body").endswith("/body")


def test_other_paths_are_left_alone() -> None:
    for method, path in (
        ("POST", "/api/v1/evaluations/query"),
        ("GET", "/api/v1/conversations"),
        ("GET", "/api/v1/conversations/"),
        ("GET", "/healthz"),
    ):
        assert packed(method, path) == "?"


def test_what_is_not_utf8_names_nothing_and_breaks_nothing() -> None:
    assert unpack(packed("GET", "/api/v1/conversations/%ff%00%zz").rsplit("/", 1)[1]) == "\ufffd\ufffd%zz"
