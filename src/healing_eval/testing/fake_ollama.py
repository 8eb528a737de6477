"""How does Ollama answer in its own language? The part of `FakeModel` that speaks it."""

from __future__ import annotations

from typing import Any

from healing_eval.testing import fake_logprobs

PATH = "/api/chat"

Reply = tuple[int, Any]


def refusal(payload: dict[str, Any], mode: str) -> Reply | None:
    """Say what is wrong with a request, or fail as `mode` says; None if it is to be answered."""
    if mode.isdigit():
        return int(mode), {"error": f"fault {mode}"}
    if not isinstance(payload.get("model"), str):
        return 400, {"error": "model is required"}
    if payload.get("stream", True):
        return 400, {"error": "this fake answers in one piece only: stream must be false"}
    form = payload.get("format")
    if (mode == "no_schema" and isinstance(form, dict)) or (mode == "no_format" and form is not None):
        return 400, {"error": "invalid format"}
    return (200, {"hello": "world"}) if mode == "not_chat" else None


def reply(payload: dict[str, Any], text: str, mode: str) -> dict[str, Any]:
    """Write what the model says."""
    counted = {
        "prompt_eval_count": sum(len(one["content"]) for one in payload["messages"]) // 4,
        "eval_count": len(text) // 4,
    }
    if mode == "odd_usage":
        counted = {"prompt_eval_count": -1, "eval_count": 10**30}
    given = {}
    if payload.get("logprobs") and mode != "no_logprobs":
        given = {"logprobs": fake_logprobs.listed(text, mode, payload.get("top_logprobs", 0))}
    return {
        "model": "fake-1",
        "created_at": "1970-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "stop",
        "total_duration": 1,
        **counted,
        **given,
    }
