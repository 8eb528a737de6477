"""Was a request left without an answer?

Only what can be told from the words alone: a reply that is nothing but a farewell or an empty phrase, a reply that
gives the user's own words back, and a question asked again because the reply had nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rapidfuzz import fuzz

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.coherence.context import Context, Said

# fmt: off
_CLOSING = frozenset({
    "you are welcome", "you're welcome", "your welcome", "you re welcome", "youre welcome", "welcome", "no problem",
    "anytime", "any time", "have a good day", "have a great day", "have a nice day", "goodbye", "good bye", "bye",
    "glad to help", "happy to help", "glad i could help", "you are welcome have a good day", "no worries",
    "take care", "i'm glad i could help", "i m glad i could help", "my pleasure",
})
_EMPTY = frozenset({"i don't know", "i do not know", "maybe", "i understand", "i see"})
_POLITE = frozenset({
    "thanks", "thank", "thx", "bye", "goodbye", "great", "perfect", "ok", "okay", "cheers", "good", "awesome",
    "appreciate", "cool", "fine", "nothing", "all", "thankyou", "no", "nice", "welcome", "ty", "excellent",
    "wonderful",
})
_ASKS = frozenset({
    "what", "where", "when", "which", "who", "how", "why", "is", "are", "do", "does", "can", "could", "will", "would",
    "did", "whats", "what's",
})
_REQUESTS = _ASKS | {
    "find", "give", "show", "tell", "schedule", "set", "remind", "book", "make", "take", "get", "list", "check",
    "send", "navigate", "please", "direct", "pick", "order", "cancel", "change", "add", "locate", "need",
}
_COMMON = frozenset({
    "the", "and", "you", "that", "this", "for", "with", "have", "has", "are", "was", "were", "your", "what", "where",
    "when", "which", "who", "how", "why", "can", "could", "would", "will", "does", "did", "please", "tell", "there",
    "about", "any", "some", "know", "want", "like", "not", "but",
})
# fmt: on
_LONGEST_EMPTY = 60
_MIN_WORDS_OF_ECHO = 5
_COMPARED = 400
_SAME_QUESTION = 95


def check(context: Context) -> Iterator[Issue]:
    """Look at each reply, and at each question asked again."""
    request: Said | None = None
    answered_by: Said | None = None
    reported: set[int] = set()
    unfinished = None if context.conversation.complete else len(context.conversation.turns) - 1
    for said in context.said:
        if said.turn.role == "user":
            if (
                request
                and answered_by
                and answered_by.index not in reported
                and _asked_again(request, answered_by, said)
            ):
                reported.add(answered_by.index)
                yield _unanswered(
                    answered_by,
                    "The user has to ask again: the reply had nothing to do with the question.",
                    "asked again",
                )
            request, answered_by = said, None
            continue
        if request is None or answered_by is not None:
            continue
        answered_by = said
        defect = None if said.index == unfinished or said.turn.tool_calls else _defect(request, said)
        if defect:
            reported.add(said.index)
            yield _unanswered(said, defect[0], defect[1])


def _unanswered(said: Said, description: str, detail: str) -> Issue:
    return issue("unanswered_request", description, turn_id=said.turn.turn_id, evidence=said.text, detail=detail)


def _defect(request: Said, reply: Said) -> tuple[str, str] | None:
    """Say what is wrong with a reply, and its make; None if it may be an answer."""
    if len(reply.text) <= _LONGEST_EMPTY and _is_request(request):
        plain = " ".join(reply.words)
        if plain in _CLOSING:
            return "The user asked for something and the reply only says goodbye.", "farewell"
        if plain in _EMPTY and _is_question(request):
            return "The user asked a question and the reply is an empty phrase.", "empty phrase"
    if _is_question(request) and len(reply.words) >= _MIN_WORDS_OF_ECHO and reply.words == request.words:
        return "The reply only repeats what the user said.", "echo"
    return None


def _is_request(said: Said) -> bool:
    return bool(said.words) and said.words[0] in _REQUESTS and _POLITE.isdisjoint(said.word_set)


def _is_question(said: Said) -> bool:
    return "?" in said.text


def _asked_again(request: Said, reply: Said, again: Said) -> bool:
    """Whether the user repeats a question because the reply shares no word with it, gives no value and asks nothing."""
    if not (_is_question(request) and _is_question(again)) or len(request.words) < 4 or len(again.words) < 4:
        return False
    if "?" in reply.text or reply.turn.tool_calls:
        return False
    shared = request.word_set & reply.word_set
    if any(len(word) > 2 and word not in _COMMON for word in shared) or any(map(str.isdigit, reply.text)):
        return False
    return fuzz.token_sort_ratio(request.lowered[:_COMPARED], again.lowered[:_COMPARED]) >= _SAME_QUESTION
