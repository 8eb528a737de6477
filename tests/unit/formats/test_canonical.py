from __future__ import annotations

from healing_eval.formats.canonical import chain, content_hash


def test_the_order_of_names_is_no_content_and_unknown_fields_are() -> None:
    plain = chain("turns", [{"role": "user", "content": "a"}])

    assert chain("turns", [{"content": "a", "role": "user"}]) == plain
    assert chain("turns", [{"role": "user", "content": "a", "mood": 1}]) != plain


def test_a_prefix_of_the_entries_is_a_prefix_of_the_chain() -> None:
    entries = [{"content": str(number)} for number in range(5)]

    assert chain("turns", entries)[:3] == chain("turns", entries[:3])
    assert len(set(chain("turns", [{}, {}, {}]))) == 3


def test_turns_never_continue_messages() -> None:
    assert chain("turns", [{}]) != chain("messages", [{}])


def test_everything_that_is_content_counts() -> None:
    (link,) = chain("turns", [{}])
    usual = content_hash("v1", None, None, link)

    assert len(usual) == 16
    assert usual == content_hash("v1", None, None, link)
    others = {
        content_hash("v2", None, None, link),
        content_hash("v1", [{}], None, link),
        content_hash("v1", None, "be kind", link),
        content_hash("v1", None, None, b"other"),
    }
    assert len(others - {usual}) == 4
