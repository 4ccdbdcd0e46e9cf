"""Builders of the OpenVINO variants: the ONNX export, converted, and quantised with nncf."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import openvino

from recsys.encoders.backbone import Backbone
from recsys.encoders.length_batches import length_batches
from recsys.speed.artefact import words_of
from recsys.speed.engines.openvino import FILE
from recsys.speed.onnx_export import INPUTS, export_onnx
from recsys.speed.word_pieces import rows_of

CALIBRATION_TOKENS = 1024  # of a padded batch


def plain(backbone: Backbone, folder: Path, texts: Sequence[str], **options) -> None:
    """No quantisation: the loader chooses the precision of the products."""
    _save(_converted(backbone), folder)


def weights_8_bit(backbone: Backbone, folder: Path, texts: Sequence[str], **options) -> None:
    """8-bit weights, one scale per output; products in the loader's precision."""
    import nncf

    nncf.set_log_level(logging.ERROR)
    mode = nncf.CompressWeightsMode.INT8_SYM
    _save(nncf.compress_weights(_converted(backbone), mode=mode), folder)


def int8(
    backbone: Backbone, folder: Path, texts: Sequence[str], *, unrounded: Sequence[str] = (), **options
) -> None:
    """int8 products, calibrated on `texts`, with SmoothQuant (arXiv:2211.10438).

    Args:
        unrounded: regular expressions of names of operators that are not quantised.
    """
    import nncf

    nncf.set_log_level(logging.ERROR)
    words = words_of(backbone)
    ids, lengths = words(texts)
    batches = length_batches(lengths, token_budget=CALIBRATION_TOKENS)
    inputs = [words.pad(rows_of(ids, lengths, rows), lengths[rows]) for rows in batches]
    model = nncf.quantize(
        _converted(backbone),
        nncf.Dataset([dict(zip(INPUTS, pair, strict=True)) for pair in inputs]),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(patterns=list(unrounded), validate=False) if unrounded else None,
    )
    nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)  # the embeddings
    _save(model, folder)


def _converted(backbone: Backbone) -> openvino.Model:
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "model.onnx"
        export_onnx(backbone, path)
        return openvino.convert_model(path)


def _save(model: openvino.Model, folder: Path) -> None:
    openvino.save_model(model, folder / FILE, compress_to_fp16=False)
