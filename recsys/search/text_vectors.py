"""How a search engine's texts become vectors: titles exactly, queries as fast as this machine can.

Titles are encoded once, in float32 (`recsys.speed`'s packed-fp32: the model's own vectors, several times as
fast). A query is encoded while somebody waits: an int8 variant whose ten nearest titles are nearly the same,
from an artefact that is keyed by code, weights, packages and processor (`recsys.speed.artefact`). Where a
variant cannot be had, the plain backbone takes its place, by name and with the reason: nothing is slower in
silence.

n: texts. D: width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from recsys.code.reach import code_hash
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.backbone_digest import tensors_digest
from recsys.encoders.embed import embed_texts
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.errors import SearchError
from recsys.speed import artefact, choice
from recsys.speed.encoder import Encoder
from recsys.speed.fast_encoder import FLOOR, tried
from recsys.speed.model_source import ModelSource, model_source
from recsys.speed.variants import VARIANTS
from recsys.speed.word_pieces import FILE, WordPieces

Encode = Callable[[Sequence[str]], np.ndarray]  # n texts -> [n, D] unit length
# the fastest of the variants that keep .98 of the ten nearest titles of a query (05_all_variants)
QUERY_VARIANT, TITLE_VARIANT = "onnx-mixed-gptq", "packed-fp32"
PLAIN, AUTO = "plain", "auto"


@dataclass(frozen=True)
class TextVectors:
    """name: of the model. model: name and digest of weights, tokenizer and settings. width: D.

    queries: of 32 tokens at most. titles: of 64, with a bar on stderr where asked for. queries_by, titles_by:
    names of variants, "plain" for the backbone itself in float32. reasons: why it is the backbone where
    another was asked for, one line each.
    """

    name: str
    model: str
    width: int
    queries: Encode
    titles: Callable[[Sequence[str], bool], np.ndarray]
    queries_by: str
    titles_by: str
    reasons: tuple[str, ...] = ()


def text_vectors(
    model: Backbone | str = "minilm",
    variant: str | None = None,
    workers: int | None = None,
    cache: str | Path | None = None,
    progress: bool = False,
) -> TextVectors:
    """Encoders of queries and titles.

    Args:
        model: a loaded backbone, or what `load_backbone` takes.
        variant: of queries: a name of `recsys.speed.variants.VARIANTS`; "auto" tries them all here (minutes,
            kept afterwards) and takes the fastest that keeps .98 of the ten nearest; "plain" the backbone in
            float32. None: QUERY_VARIANT for a model by name, plain for a loaded one, which may be trained
            further.
        workers: batches of titles at once; None as many as torch has threads.
        cache: folder of artefacts; None the kit's own.
        progress: say on stderr what is tried and built.

    Raises:
        BackboneError: the model cannot be had. SearchError: no such variant.
    """
    if variant not in (None, PLAIN, AUTO, *VARIANTS):
        raise SearchError(f"no variant {variant!r}; there are {PLAIN}, {AUTO}, {', '.join(VARIANTS)}")
    loaded = not isinstance(model, str)
    variant = variant or (PLAIN if loaded else QUERY_VARIANT)
    plain = functools.cache(lambda: model if loaded else load_backbone(model))
    reasons: list[str] = []
    encoders: dict[str, Encoder | None] = {"queries": None, "titles": None}
    try:
        source = model_source(model)
    except ValueError as error:  # a model that no engine computes
        reasons.append(f"{PLAIN} float32: {choice.reason(error)}")
        source = None
    if source is not None and variant != PLAIN:
        asked = {"queries": (variant, QUERY_TOKENS, 1), "titles": (TITLE_VARIANT, TITLE_TOKENS, workers)}
        for side, (name, tokens, own) in asked.items():
            try:
                encoders[side] = _encoder(
                    source, name, tokens, own or torch.get_num_threads(), cache, progress
                )
            except Exception as error:  # a library of another machine can fail in any way
                reasons.append(f"{side} by {PLAIN} float32 instead of {name}: {choice.reason(error)}")
    own = plain().name if loaded else model
    digest = source.digest if source else tensors_digest(plain().state_dict())
    queries, titles = encoders["queries"], encoders["titles"]
    return TextVectors(
        own,
        f"{own} {digest[:16]}",
        (queries or titles or plain()).width,
        functools.partial(_plain, plain, QUERY_TOKENS, progress=False) if queries is None else _by(queries),
        functools.partial(_plain, plain, TITLE_TOKENS) if titles is None else _titles_by(titles),
        PLAIN if queries is None else queries.name,
        PLAIN if titles is None else titles.name,
        tuple(reasons),
    )


def title_code() -> str:
    """Of all the code that makes a title's vector: stored vectors of other code are not these."""
    own = [VARIANTS[TITLE_VARIANT].code(), code_hash("recsys.encoders.embed:embed_texts")]
    return " ".join(digest[:16] for digest in own)


def _encoder(
    source: ModelSource, name: str, tokens: int, workers: int, cache: str | Path | None, progress: bool
) -> Encoder:
    root = artefact.root(cache)
    if name == AUTO:
        name = choice.best(tried(source, cache=root, progress=progress), "latency", FLOOR, "queries")
    variant = VARIANTS[name]
    if missing := variant.missing():
        raise ImportError(f"not installed: {', '.join(missing)}")
    found = artefact.obtain(source, variant, lambda: choice.demo_texts().titles[: choice.CALIBRATION], root)
    folder, own = artefact.artefact_folder(source, variant, root), found.words
    # longer texts are cut as the backbone cuts them: the last token stays the one that ends a text
    words = WordPieces(
        Tokenizer.from_file(str(folder / FILE)),
        min(tokens, own.max_tokens),
        own.filler,
        own.pad_id,
        own.pad_left,
    )
    return Encoder(
        found.engine, words, found.width, workers=workers, one_at_a_time=found.one_at_a_time, name=name
    )


def _by(encoder: Encoder) -> Encode:
    return functools.partial(encoder.encode, normalize_embeddings=True)


def _titles_by(encoder: Encoder) -> Callable[[Sequence[str], bool], np.ndarray]:
    return lambda texts, progress: encoder.encode(
        list(texts), normalize_embeddings=True, show_progress_bar=progress
    )


def _plain(plain: Callable[[], Backbone], tokens: int, texts: Sequence[str], progress: bool) -> np.ndarray:
    return embed_texts(plain(), list(texts), max_tokens=tokens, precision="fp32", progress=progress)
