"""Does what the model quotes stand in the turns?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import msgspec

from healing_eval.domain.conversation import Turn, TurnId
from healing_eval.domain.evaluation import Findings, Issue, Score, issue
from healing_eval.domain.issue_types import ISSUE_TYPES, SEVERITIES, Severity
from healing_eval.evaluators.judge.fence import HIDDEN, plain_json, tool_call_record
from healing_eval.evaluators.judge.reading import Answer, Claim, Criterion, Quote
from healing_eval.evaluators.judge.rubric import BEST_SCORE
from healing_eval.evaluators.values.text import is_latin_1

SHORTEST_QUOTE = 3
"""Characters that count; less is to be found anywhere."""

_IGNORED_MARKS = re.compile("[\"'`\\\\\u2018-\u201f\u00ab\u00bb\u2032\u2033]+")
_IGNORED_IN_ASCII = {code: None for code in range(128) if chr(code).isspace() or chr(code) in "\"'`\\\x7f"}


class Grounded(msgspec.Struct, frozen=True):
    """What is left of an answer after its quotes were looked up."""

    findings: Findings | None
    """None when more than half of the quotes stand nowhere, or there are none: then nothing it says is believed."""
    quotes: int
    false_quotes: int


class Passages:
    """The texts of the shown turns, each made ready to be searched when it is needed: most never are."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns: dict[str, list[Turn]] = {}
        self._ready: dict[str, list[str]] = {}
        self._left: dict[str, Iterator[str]] = {}
        for turn in turns:
            self._turns.setdefault(str(turn.turn_id), []).append(turn)

    def hold(self, quote: Quote) -> bool:
        """Whether the quote stands in its turn; case, spacing, quotation marks and hidden characters do not count."""
        text, name = quote.text, quote.turn_id or ""
        as_it_is = self._hold_as_it_is(text, name)
        if as_it_is and len(text) >= SHORTEST_QUOTE and text[:SHORTEST_QUOTE].isalnum():
            return True
        wanted = _normalise(text)
        return len(wanted) >= SHORTEST_QUOTE and (as_it_is or any(wanted in part for part in self._parts(name)))

    def locate(self, quote: Quote) -> str | None:
        """Find the turn a quote stands in: its own if it is there, else the first that has it."""
        if self.hold(quote):
            return quote.turn_id
        return next((name for name in self._turns if self.hold(Quote(name, quote.text))), None)

    def id_of(self, name: str | None) -> TurnId | None:
        """Give a turn's id as the sender wrote it; None if no shown turn has it."""
        named = self._turns.get(name or "")
        return named[0].turn_id if named else None

    def _hold_as_it_is(self, text: str, name: str) -> bool:
        """Whether it was quoted to the letter, as nearly always; then nothing has to be made ready to be searched.

        Only of Latin-1 is it certain that both look the same afterwards: there no character changes the one beside it.
        """
        return any(text in turn.content and is_latin_1(turn.content) for turn in self._turns.get(name, ()))

    def _parts(self, name: str) -> Iterator[str]:
        """Give what the turns of this name say and call, one after the other; a quote stands in one of these."""
        ready = self._ready.setdefault(name, [])
        yield from ready
        for part in self._left.setdefault(name, _parts(self._turns.get(name, ()))):
            ready.append(_normalise(part))
            yield ready[-1]


def _parts(turns: Sequence[Turn]) -> Iterator[str]:
    for turn in turns:
        yield turn.content
        if turn.tool_calls:
            yield plain_json([tool_call_record(call) for call in turn.tool_calls])


def ground(answer: Answer, passages: Passages, remarks: Sequence[str] = ()) -> Grounded:
    """Check every quote and turn what holds into findings.

    A score is the grade / 5. `overall` is the mean of the criteria with at least one true quote; the others are
    listed as untrusted. An issue whose quote stands in no shown turn is dropped; one in another turn than claimed moves
    there; one without a quote stays, since something missing cannot be quoted.

    Args:
        answer: what the model said.
        passages: the turns it was shown.
        remarks: what else the explanation should say.
    """
    held = {one.name: [passages.hold(quote) for quote in one.evidence] for one in answer.criteria}
    issues = [_checked(claim, passages) for claim in answer.issues]
    quotes = sum(len(hits) for hits in held.values()) + sum(bool(claim.quote.text) for claim in answer.issues)
    dropped = issues.count(None)
    false = sum(hits.count(False) for hits in held.values()) + dropped
    trusted = [one for one in answer.criteria if any(held[one.name])]
    if not trusted or 2 * false > quotes:
        return Grounded(None, quotes, false)
    said = list(remarks)
    if false:
        said.append(f"{false} of {quotes} quotes stand in no such turn and were dropped")
    if dropped:
        said.append(f"{dropped} of {len(issues)} issues dropped for that")
    findings = Findings(
        overall=sum(one.score for one in trusted) / BEST_SCORE / len(trusted),
        scores=tuple(_score(one, is_trusted=any(held[one.name])) for one in answer.criteria),
        issues=tuple(found for found in issues if found is not None),
        explanation="; ".join(said),
    )
    return Grounded(findings, quotes, false)


def _score(criterion: Criterion, *, is_trusted: bool) -> Score:
    doubt = "" if is_trusted else "untrusted, not in the overall score: no true quote. "
    return Score(criterion.name, criterion.score / BEST_SCORE, doubt + criterion.reason)


def _checked(claim: Claim, passages: Passages) -> Issue | None:
    place = passages.locate(claim.quote) if claim.quote.text else claim.quote.turn_id
    if claim.quote.text and place is None:
        return None
    known = claim.type if claim.type in ISSUE_TYPES else "other"
    return issue(
        known,
        claim.description or ISSUE_TYPES[known].meaning,
        turn_id=passages.id_of(place),
        evidence=claim.quote.text or None,
        severity=_severity(claim.severity),
    )


def _severity(said: str) -> Severity | None:
    return next((one for one in SEVERITIES if one == said.lower()), None)


def _normalise(text: str) -> str:
    if text.isascii():
        return text.translate(_IGNORED_IN_ASCII).lower()
    visible = unicodedata.normalize("NFKC", HIDDEN.sub("", text)).casefold()
    return _IGNORED_MARKS.sub("", "".join(visible.split()))
