"""What counts as the same word?"""

from unicodedata import normalize

from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.evaluators.values.text import (
    Passages,
    compatible_lower,
    find_word,
    fold,
    is_latin_1,
    lower,
    words_of_name,
)


def test_case_punctuation_and_width_are_folded():
    assert fold("New_York-City,  ＮＹ") == "new york city ny"


def test_a_name_is_split_at_every_seam():
    assert words_of_name("payment_methodId") == ("payment", "method", "id")


def test_a_word_inside_a_longer_one_is_not_found():
    assert not find_word("order 5123", "12", 10)
    assert find_word("order 12, please", "12", 16)


def test_a_plural_is_found():
    assert find_word("three pumpkins", "pumpkin", 14)


def test_a_needle_that_recurs_without_bounds_is_searched_to_the_end():
    text = "1" * 100_000 + " 1"

    assert find_word(text, "1", len(text))


def test_only_the_first_pieces_are_known():
    passages = Passages(["Hello", "Bonn"])

    text, limit = passages.plain(1)

    assert not find_word(text, "bonn", limit)
    assert find_word(text, "bonn", passages.plain(2)[1])


def test_typographic_marks_are_those_of_a_keyboard():
    assert Passages(["2001\u201104\u201112, Mia\u2019s"]).whole == "2001-04-12, Mia's"


@settings(max_examples=100)
@given(st.lists(st.text(alphabet="aZ9 .-_ÄßéİłＮ\u00a0\u0301中\x00\n", max_size=12), max_size=5))
def test_every_piece_is_folded_alike_whatever_its_neighbours(pieces):
    passages = Passages(pieces)

    for count in range(len(pieces) + 1):
        text, limit = passages.plain(count)
        assert " ".join(text[:limit].split()) == " ".join(filter(None, map(fold, pieces[:count])))


@given(
    st.text(st.characters(max_codepoint=0x17F, exclude_categories=()) | st.sampled_from("漢\ud800\u0301Ｎ"), max_size=9)
)
def test_a_shorter_way_to_lower_a_text_leads_to_the_same(text):
    assert lower(text) == text.lower()
    assert compatible_lower(text) == normalize("NFKC", text).lower()
    assert is_latin_1(text) == all(ord(character) < 256 for character in text)
