"""Which model can a real server serve without any weights? One made on the spot: a few layers, and a token per byte.

Its weights are drawn at random by the server, so what it says means nothing; how the server answers is real.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTEXT_TOKENS = 2048
BEGIN, END = "<|begin|>", "<|end|>"
MERGED = [('"', ":"), ("Ġ", '"'), *(("Ġ", digit) for digit in "012345")]
"""Pairs that are one token, as with real tokenizers: there, too, a digit may stand alone or follow a space."""
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def make_tiny_model(folder: Path) -> Path:
    """Write configuration and tokenizer of a Llama of about half a million parameters; give the folder back."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _vocabulary()
    documents = {
        "config.json": _config(vocabulary),
        "generation_config.json": {"bos_token_id": vocabulary[BEGIN], "eos_token_id": vocabulary[END]},
        "tokenizer.json": _tokenizer(vocabulary),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BEGIN,
            "eos_token": END,
            "model_max_length": CONTEXT_TOKENS,
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        },
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1))
    return folder


def _vocabulary() -> dict[str, int]:
    tokens = [BEGIN, END, *_byte_letters(), *("".join(pair) for pair in MERGED)]
    return {token: number for number, token in enumerate(tokens)}


def _byte_letters() -> list[str]:
    """Give the letter by which a byte-level tokenizer writes each byte: itself if it can be seen, else one from 256."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    letters: list[str] = []
    unseen = 0
    for byte in range(256):
        letters.append(chr(byte if byte in seen else 256 + unseen))
        unseen += byte not in seen
    return letters


def _tokenizer(vocabulary: dict[str, int]) -> dict[str, Any]:
    by_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[token], "content": token, **special} for token in (BEGIN, END)],
        "normalizer": None,
        "pre_tokenizer": by_bytes,
        "post_processor": None,
        "decoder": by_bytes,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [list(pair) for pair in MERGED],
        },
    }


def _config(vocabulary: dict[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(vocabulary),
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": CONTEXT_TOKENS,
        "bos_token_id": vocabulary[BEGIN],
        "eos_token_id": vocabulary[END],
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "initializer_range": 0.02,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
