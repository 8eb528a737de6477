"""How is Ollama asked in its own language? Its OpenAI-compatible one cannot say how long the context is to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import msgspec

from healing_eval.backends.chat_model.logprobs import TOP_LOGPROBS, decode_with_nan, read_logprobs
from healing_eval.backends.chat_model.over_http import MAX_MODEL_NAME, Endpoint, HttpChat, host_of, tokens
from healing_eval.errors import ConfigError, UnreadableVerdict
from healing_eval.ports.chat_model import ChatAnswer, ChatRequest

DEFAULT_BASE_URL = "http://127.0.0.1:11434"
DEFAULT_CONTEXT_TOKENS = 16_384
"""Always said to the server, which else takes 4,096 or less and cuts off the beginning of what is longer, silently."""


class _Dialect(msgspec.Struct, frozen=True):
    """What this server is known to understand; learned from its refusals, once."""

    format: Literal["schema", "json", "none"] = "schema"
    logprobs: bool = True

    def adapted(self, complaint: str) -> _Dialect | None:
        if self.logprobs and "logprobs" in complaint.lower():
            return msgspec.structs.replace(self, logprobs=False)
        if self.format == "none" or not any(word in complaint for word in ("format", "schema", "grammar")):
            return None
        return msgspec.structs.replace(self, format="json" if self.format == "schema" else "none")


class _Said(msgspec.Struct):
    content: str


class _Reply(msgspec.Struct):
    message: _Said
    model: str | None = None
    done_reason: str | None = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    logprobs: msgspec.Raw = msgspec.Raw()
    """Since version 0.12.11; those before overlook that they are asked for."""


_decoder = msgspec.json.Decoder(_Reply)


class OllamaChat(HttpChat[_Dialect]):
    """A model behind `POST {base}/api/chat`."""

    address_variable: ClassVar[str | None] = "OLLAMA_BASE_URL"
    key_variable: ClassVar[str | None] = None

    def __init__(self, model: str, base_url: str, context_tokens: int) -> None:
        self.name = f"ollama:{model}"
        self.context_tokens = context_tokens
        self.base_url: str | None = base_url
        self._model = model
        super().__init__(Endpoint(f"{base_url.rstrip('/')}/api/chat", "OLLAMA_BASE_URL"), _Dialect())

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        base_url = environment.get("OLLAMA_BASE_URL") or DEFAULT_BASE_URL
        host_of("OLLAMA_BASE_URL", base_url, DEFAULT_BASE_URL)
        length = environment.get("OLLAMA_CONTEXT_LENGTH") or str(DEFAULT_CONTEXT_TOKENS)
        if not (length.isascii() and length.isdigit() and int(length) > 0):
            raise ConfigError(f"OLLAMA_CONTEXT_LENGTH must be a number of tokens, such as {DEFAULT_CONTEXT_TOKENS}")
        return cls(model, base_url, int(length))

    def _payload(self, request: ChatRequest, dialect: _Dialect) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self._model,
            "messages": request.messages,
            "stream": False,
            "options": {
                "temperature": request.temperature,
                "num_predict": request.max_output_tokens,
                "num_ctx": self.context_tokens,
            },
        }
        if request.logprobs and dialect.logprobs:
            payload |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        if request.schema is not None and dialect.format != "none":
            payload["format"] = request.schema if dialect.format == "schema" else "json"
        return payload

    def _read(self, body: bytes, requests: int) -> ChatAnswer:
        try:
            reply = decode_with_nan(_decoder, body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            text = body.decode("utf-8", "replace")
            raise UnreadableVerdict("the server's answer is no reply of a chat", raw_answer=text) from error
        return ChatAnswer(
            text=reply.message.content,
            model=(reply.model or self._model)[:MAX_MODEL_NAME],
            input_tokens=tokens(reply.prompt_eval_count),
            output_tokens=tokens(reply.eval_count),
            finish_reason=reply.done_reason,
            requests=requests,
            token_logprobs=read_logprobs(reply.logprobs),
        )
