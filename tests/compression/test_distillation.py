from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.compression.distillation import (
    SETTINGS,
    TextTargets,
    distil,
    evenly_spaced,
    keep_layers,
    without_dropout,
)
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from tests.shop_texts import QUERIES, TITLES

TEXTS = QUERIES + TITLES
QUICK = replace(SETTINGS, epochs=30, learning_rate=2e-3, token_budget=512)


@pytest.fixture(scope="module")
def targets(bert):
    return embed_texts(bert, TEXTS, precision="fp32")


def cosine(backbone, targets):
    return (embed_texts(backbone, TEXTS, precision="fp32") * targets).sum(axis=1).mean()


@pytest.fixture
def student():
    """Weights of its own, one layer less than the teacher."""
    return load_backbone("random-bert", layers=1, seed=1)


def test_a_student_comes_nearer_to_the_teacher(student, targets):
    before = cosine(student, targets)
    result = distil(student, TEXTS, targets, QUICK, progress=False)
    assert result.model is student
    assert cosine(student, targets) > before + 0.5 * (1 - before)
    # the loss is 1 - cosine: what it was at the first step is what was measured before
    assert result.history["loss"].iloc[0] == pytest.approx(1 - before, abs=0.02)


def test_held_out_texts_say_which_weights_are_kept(student, targets):
    split = len(QUERIES)
    settings = replace(QUICK, epochs=4, mixed_precision="no")
    held_out = (TEXTS[:split], targets[:split])
    result = distil(student, TEXTS[split:], targets[split:], settings, held_out=held_out, progress=False)
    found = embed_texts(student, held_out[0], precision="fp32")
    assert result.best_metric == pytest.approx((found * held_out[1]).sum(axis=1).mean(), abs=1e-5)


def test_the_teacher_itself_has_nothing_to_learn(targets):
    """Dropout on would give a loss above 0."""
    teacher = load_backbone("random-bert")
    settings = replace(QUICK, epochs=1, mixed_precision="no", learning_rate=1e-9)
    result = distil(teacher, TEXTS, targets, settings, progress=False)
    assert result.history["loss"].abs().max() < 1e-5


def test_dropout_comes_back(bert):
    rates = [m.p for m in bert.modules() if isinstance(m, torch.nn.Dropout)]
    assert max(rates) > 0
    with without_dropout(bert):
        assert {m.p for m in bert.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}
    assert [m.p for m in bert.modules() if isinstance(m, torch.nn.Dropout)] == rates


def test_samples_are_texts_with_their_targets(bert, targets):
    batch = TextTargets(bert, TEXTS, targets).collate(np.array([7, 2]))
    assert (batch["targets"].numpy() == targets[[7, 2]]).all()
    with torch.inference_mode():
        found = torch.nn.functional.normalize(bert(batch["input_ids"], batch["attention_mask"]), dim=1)
    assert torch.allclose(found, batch["targets"], atol=1e-5)


def test_targets_that_do_not_fit_are_refused(bert, targets):
    with pytest.raises(ValueError, match=rf"targets must be \[{len(TEXTS)}, {bert.width}\]"):
        distil(bert, TEXTS, targets[:, :3])
    with pytest.raises(ValueError, match="length 1"):
        distil(bert, TEXTS, 2 * targets)
    with pytest.raises(ValueError, match="length 1"):
        distil(bert, TEXTS, np.full_like(targets, np.nan))


@pytest.mark.parametrize("name", ["random-bert", "random-gpt"])
def test_the_first_layers_are_those_of_load_backbone(name):
    whole = load_backbone(name)
    count = whole.model.config.num_hidden_layers
    expected = embed_texts(load_backbone(name, layers=1), TEXTS, precision="fp32")
    assert np.array_equal(embed_texts(keep_layers(whole, [0]), TEXTS, precision="fp32"), expected)
    everything = embed_texts(keep_layers(whole, range(count)), TEXTS, precision="fp32")
    assert np.array_equal(everything, embed_texts(whole, TEXTS, precision="fp32"))
    assert whole.model.config.num_hidden_layers == count


def test_a_kept_layer_is_a_copy(bert, tmp_path):
    student = keep_layers(bert, [1, 1])
    first, second = student.model.encoder.layer
    with torch.no_grad():
        first.output.dense.weight.zero_()
    assert second.output.dense.weight.abs().max() > 0
    assert bert.model.encoder.layer[1].output.dense.weight.abs().max() > 0
    student.save(tmp_path)
    again = load_backbone(str(tmp_path))
    vectors = [embed_texts(b, TEXTS, precision="fp32") for b in (student, again)]
    assert np.array_equal(*vectors)


@pytest.mark.parametrize("which", [[], [9], [-1], ["0"]])
def test_layers_that_are_not_there_are_refused(bert, which):
    with pytest.raises(ValueError, match="which must be layers from 0 to"):
        keep_layers(bert, which)


def test_evenly_spaced():
    assert evenly_spaced(6, 1) == [0]
    assert evenly_spaced(6, 2) == [0, 5]
    assert evenly_spaced(6, 3) == [0, 2, 5]
    assert evenly_spaced(6, 6) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="from 1 to 6"):
        evenly_spaced(6, 7)
