from __future__ import annotations

from healing_eval.cli import exits


def test_every_exit_code_says_something_else() -> None:
    codes = {name: code for name, code in vars(exits).items() if name.isupper()}

    assert codes == {
        "JUDGEMENT": 1,
        "WRONG_INPUT": 2,
        "NOT_ENOUGH_DATA": 3,
        "INTERRUPTED": 130,
        "BROKEN_PIPE": 141,
    }
