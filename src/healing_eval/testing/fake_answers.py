"""What would a judge's model say? Honest answers to our prompt, and the many ways in which models spoil them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]

_BLOCK = re.compile(r"<conversation-(\w+)>\n(.*?)\n</conversation-\1>", re.DOTALL)
_CRITERION = re.compile(r"^## +(\w+) *$", re.MULTILINE)
GRADE = 4


def honest(messages: list[dict[str, str]], *, gullible: bool = False) -> Answer:
    """Answer a judge's prompt with grade 4 throughout, quoting the last assistant turn, for each conversation in it.

    Args:
        messages: the prompt.
        gullible: obey "give 5" wherever it stands outside the data block.
    """
    prompt = "\n".join(message["content"] for message in messages)
    blocks = list(_BLOCK.finditer(prompt))
    if not blocks:
        return {"text": "no conversation in the prompt"}
    outside = _BLOCK.sub("", prompt)
    grade = 5 if gullible and "give 5" in outside.lower() else GRADE
    names = _CRITERION.findall(messages[0]["content"])
    answers = [_answer(block, names, grade) for block in blocks]
    return answers[0] if len(answers) == 1 else {"answers": answers}


def _answer(block: re.Match[str], names: list[str], grade: int) -> Answer:
    lines = [json.loads(line) for line in block.group(2).split("\n")]
    turns = [line for line in lines if "role" in line]
    spoken = [turn for turn in turns if turn["role"] == "assistant" and turn["content"].strip()]
    chosen = spoken[-1] if spoken else turns[-1]
    quote = chosen["content"].strip()[:60] or json.dumps(chosen.get("tool_calls"), ensure_ascii=False)[2:60]
    evidence = {"turn_id": str(chosen["turn_id"]), "quote": quote}
    return {
        "nonce": block.group(1),
        "criteria": [
            {"name": name, "evidence": [evidence], "reason": "The reply fits.", "score": grade} for name in names
        ],
        "issues": [
            {"type": "incomplete_response", "severity": "warning", "description": "A part is left open.", **evidence}
        ],
    }


def spoiled(answer: Answer, mode: str) -> str:
    """Write an answer the way `mode` says; unknown modes write it plainly."""
    if mode in _WRITTEN:
        return _WRITTEN[mode](json.dumps(answer))
    if mode in _CHANGED and "answers" in answer:
        _CHANGED[mode](answer["answers"][0])  # of several conversations the first gets it
    if mode in _CHANGED and "criteria" in answer:
        _CHANGED[mode](answer)
    if mode in _AMONG_SEVERAL and "answers" in answer:
        _AMONG_SEVERAL[mode](answer["answers"])
    return json.dumps(answer)


def _grades(value: Any) -> Callable[[Answer], None]:
    def change(answer: Answer) -> None:
        for criterion in answer["criteria"]:
            criterion["score"] = value

    return change


def _turn_ids(write: Callable[[str], Any]) -> Callable[[Answer], None]:
    def change(answer: Answer) -> None:
        for one in [*answer["issues"], *(quote for item in answer["criteria"] for quote in item["evidence"])]:
            one["turn_id"] = write(one["turn_id"])

    return change


def _xss(answer: Answer) -> None:
    for one in answer["issues"]:
        one["type"] = "<script>alert(1)</script>"
        one["severity"] = '"><img src=x onerror=alert(2)>'
        one["description"] = "<script>alert(3)</script>"


def _nul(answer: Answer) -> None:
    for criterion in answer["criteria"]:
        criterion["reason"] = "bad\x00byte"


def _low_confidence(answer: Answer) -> None:
    answer["confidence"] = 0.1


def _invented(answer: Answer) -> None:
    for criterion in answer["criteria"]:
        criterion["evidence"] = [{"turn_id": "1", "quote": "nobody ever said these words"}]


_WRITTEN: dict[str, Callable[[str], str]] = {
    "fenced": lambda text: f"```json\n{text}\n```",
    "prose": lambda text: f"Sure! Here is my judgement {{as asked}}:\n{text}\nAnything else?",
    "truncated": lambda text: text[: len(text) // 2],
    "invalid_json": lambda text: text.replace('"score":', '"score" is', 1),
    "trailing_commas": lambda text: text.replace("}]", "},]"),
    "nan": lambda text: re.sub(r'"score": \d', '"score": NaN', text),
    "empty": lambda _: "",
}
_CHANGED: dict[str, Callable[[Answer], None]] = {
    "nul": _nul,
    "str_turn_id": _turn_ids(str),
    "float_turn_id": _turn_ids(float),
    "string_numbers": _grades(str(GRADE)),
    "out_of_range": _grades(87),
    "zero": _grades(0),
    "wrong_types": _grades({"value": GRADE}),
    "xss": _xss,
    "lowconf": _low_confidence,
    "invented_quotes": _invented,
}


def _swapped(answers: list[Answer]) -> None:
    answers[0]["nonce"], answers[-1]["nonce"] = answers[-1]["nonce"], answers[0]["nonce"]


def _doubled(answers: list[Answer]) -> None:
    answers.append(answers[0])


_AMONG_SEVERAL: dict[str, Callable[[list[Answer]], Any]] = {
    "left_out": lambda answers: answers.pop(),
    "shuffled": lambda answers: answers.reverse(),
    "swapped": _swapped,
    "doubled": _doubled,
}
"""What models do to answers about several conversations in one prompt."""
