from hypothesis import given
from hypothesis import strategies as st

from healing_eval.domain.conversation import BUCKETS, bucket_of, conversation_key, key_from_text, key_to_text

names = st.text(max_size=40)


@given(names, names, names, names)
def test_two_conversations_share_a_key_only_if_project_and_id_are_the_same(a: str, b: str, c: str, d: str) -> None:
    assert (conversation_key(a, b) == conversation_key(c, d)) == ((a, b) == (c, d))


@given(st.binary(min_size=16, max_size=16))
def test_a_key_survives_being_written_as_text(key: bytes) -> None:
    assert key_from_text(key_to_text(key)) == key
    assert 0 <= bucket_of(key) < BUCKETS


def test_what_is_no_key_is_not_read_as_one() -> None:
    assert key_from_text("conv_000001") is None
    assert key_from_text("1" * 26) is None
