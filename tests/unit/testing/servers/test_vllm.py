"""Is what vLLM is given sound, and is one that does not start named? vLLM itself: `make vllm`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from healing_eval.testing.servers.process import MissingServer
from healing_eval.testing.servers.tiny_model import make_tiny_model
from healing_eval.testing.servers.vllm import SETTING, VllmServer


@pytest.fixture
def model(tmp_path: Path) -> dict[str, Any]:
    folder = make_tiny_model(tmp_path / "model")
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}


def test_the_model_has_a_token_for_each_byte_and_each_pair(model: dict[str, Any]) -> None:
    bpe = model["tokenizer"]["model"]
    letters = [token for token in bpe["vocab"] if len(token) == 1]

    assert len(letters) == 256
    assert {*"Az~ÿ"} <= set(letters)
    assert not any(letter.isspace() or not letter.isprintable() for letter in letters)
    assert {"".join(pair) for pair in bpe["merges"]} <= bpe["vocab"].keys()


def test_tokens_are_numbered_as_the_model_counts_them(model: dict[str, Any]) -> None:
    vocabulary, config = model["tokenizer"]["model"]["vocab"], model["config"]
    special = {one["content"]: one["id"] for one in model["tokenizer"]["added_tokens"]}

    assert sorted(vocabulary.values()) == list(range(config["vocab_size"]))
    assert special == {token: vocabulary[token] for token in ("<|begin|>", "<|end|>")}
    assert config["eos_token_id"] == vocabulary[model["tokenizer_config"]["eos_token"]]


@pytest.mark.parametrize("where", [None, "", "/no/such/python"])
def test_without_a_python_that_has_it_the_setting_is_named(monkeypatch: pytest.MonkeyPatch, where: str | None) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    if where is not None:
        monkeypatch.setenv(SETTING, where)

    with pytest.raises(MissingServer, match="HEALING_EVAL_VLLM"):
        VllmServer()


@pytest.fixture
def without_vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[VllmServer]:
    monkeypatch.setenv(SETTING, sys.executable)  # which has none
    server = VllmServer()
    yield server
    server.remove()


def test_one_that_ends_at_its_start_says_why(without_vllm: VllmServer) -> None:
    with pytest.raises(RuntimeError, match="No module named 'vllm'"):
        without_vllm.start()

    assert not without_vllm.runs
