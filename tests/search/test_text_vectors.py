"""Encoders of an engine: variants give nearly the plain encoder's vectors, or it steps in and says why."""

import numpy as np
import pytest

from recsys.encoders.embed import embed_texts
from recsys.search import text_vectors as module
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.text_vectors import PLAIN, TITLE_VARIANT, text_vectors, title_code

TEXTS = ["cordless drill 18v", "", "crème 帽子", "garden hose " * 60]


def test_a_loaded_backbone_is_taken_as_it_is(bert):
    found = text_vectors(bert)
    assert (found.queries_by, found.titles_by, found.reasons) == (PLAIN, PLAIN, ())
    for got, tokens in ((found.queries(TEXTS), QUERY_TOKENS), (found.titles(TEXTS, False), TITLE_TOKENS)):
        np.testing.assert_array_equal(got, embed_texts(bert, TEXTS, max_tokens=tokens, precision="fp32"))


def test_a_variant_gives_the_same_vectors_and_cuts_at_the_same_token(bert, tmp_path):
    plain, fast = text_vectors(bert), text_vectors(bert, TITLE_VARIANT, cache=tmp_path)
    assert (fast.queries_by, fast.titles_by, fast.reasons) == (TITLE_VARIANT, TITLE_VARIANT, ())
    assert fast.model == plain.model
    np.testing.assert_allclose(fast.queries(TEXTS), plain.queries(TEXTS), atol=1e-4)
    np.testing.assert_allclose(fast.titles(TEXTS, False), plain.titles(TEXTS, False), atol=1e-4)


def test_what_cannot_be_had_is_replaced_by_name_and_with_the_reason(bert, tmp_path, monkeypatch):
    def failing(source, name, *rest):
        raise ImportError(f"no {name} on this machine")

    monkeypatch.setattr(module, "_encoder", failing)
    found = text_vectors(bert, "onnx-int8", cache=tmp_path)
    assert (found.queries_by, found.titles_by) == (PLAIN, PLAIN)
    assert len(found.reasons) == 2
    assert "queries by plain float32 instead of onnx-int8: ImportError: no onnx-int8" in found.reasons[0]
    np.testing.assert_array_equal(found.queries(TEXTS), text_vectors(bert).queries(TEXTS))


def test_missing_packages_are_a_reason(bert, tmp_path, monkeypatch):
    monkeypatch.setattr(module.VARIANTS["onnx-int8"].__class__, "missing", lambda self: ["onnxruntime"])
    found = text_vectors(bert, "onnx-int8", cache=tmp_path)
    assert all("not installed: onnxruntime" in reason for reason in found.reasons)


def test_another_model_has_another_name(bert, gpt):
    assert text_vectors(bert).model != text_vectors(gpt).model
    assert len(set(title_code().split())) == 2
    with pytest.raises(ValueError, match="no variant 'fast'"):
        text_vectors(bert, "fast")
