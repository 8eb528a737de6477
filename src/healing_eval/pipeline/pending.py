"""What is neither measured nor failed, since an answer is on its way?"""

from __future__ import annotations

from healing_eval.domain.evaluation import Failure, Result
from healing_eval.errors import AnswerPending


def is_pending(result: Result) -> bool:
    """Whether a result only says that the answer of a batch is not there yet; it may say so a hundred times."""
    return isinstance(result, Failure) and result.retryable and result.kind == AnswerPending.__name__
