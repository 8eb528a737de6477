"""Is every place where a name may stand looked at?"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from healing_eval.evaluators.judge.naming import NAME, locate

pieces = st.sampled_from(
    [
        *("2025-03-01T10:02:33Z", "2025-03-01", "6f1ed002-ab51-4b1f-9d2c-111122223333", "deadbeef0123", "12345678abcd"),
        *(
            "BK-12345",
            "INV2024001",
            "X-Y-98765",
            "ORD#10001A2",
            "48213",
            "123",
            "$12345",
            "12345.67",
            "99999%",
            "a",
            "Z",
        ),
        *(" ", "-", "_", "#", ".", ",", "/", '"', "\\n", "\\u00e9", "\\\\", '\\"', "(ref ", '"id": ', "\x020\x03"),
    ]
)


@given(st.lists(pieces, max_size=14).map("".join))
def test_a_quick_look_finds_what_a_slow_one_finds(line: str) -> None:
    slow = [match.span() for match in NAME.finditer(line) if match.lastgroup != "kept"]

    assert [match.span() for match in locate(line).found] == slow


@given(st.text(alphabet="0123456789abcdefABCDEFXYZ-_#T: \\nu.", max_size=60))
@example("\\00000")
@example("\\f0000000ab12, \\\\f0000000ab12")
def test_in_any_text(line: str) -> None:
    slow = [match.span() for match in NAME.finditer(line) if match.lastgroup != "kept"]

    assert [match.span() for match in locate(line).found] == slow


def test_what_was_found_is_written_otherwise_and_the_rest_stays() -> None:
    assert locate("from BK-12345 to 48213.").rewritten(lambda name: f"<{len(name)}>") == "from <8> to <5>."
