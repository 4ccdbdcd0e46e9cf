"""Further pre-training: what is masked, that both ways learn, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.trainable import set_trainable
from recsys.models.next_item.further_pretraining import (
    CONTRASTIVE,
    IGNORED,
    MASKED,
    ContrastiveNetwork,
    DistinctTexts,
    MaskedNetwork,
    MaskedTexts,
    further_pretrain,
)

COLOURS = ["red", "blue", "green", "black", "white", "yellow"]
THINGS = ["shoe", "shirt", "lamp", "chair", "bottle", "guitar", "clock", "mirror"]
# the material follows from the thing: something to learn
TITLES = [
    f"{c} {t} of {'wood' if t in THINGS[2:4] else 'steel'} for the house" for c in COLOURS for t in THINGS
]
LIVELY = replace(MASKED, epochs=20, learning_rate=3e-3, token_budget=200, mixed_precision="no")
PAIRED = replace(CONTRASTIVE, epochs=6, learning_rate=1e-3, token_budget=200, mixed_precision="no")


def bert():
    return load_backbone("random-bert", layers=1)


def weights(backbone):
    return {name: value.clone() for name, value in backbone.state_dict().items()}


def test_the_loss_of_masked_tokens_falls():
    backbone = bert()
    before = weights(backbone)
    result = further_pretrain(backbone, TITLES, "masked", LIVELY)
    losses = result.history["loss"]
    assert losses.iloc[0] == pytest.approx(np.log(30522), abs=1.5)  # a fresh head knows nothing
    assert losses.iloc[-5:].mean() < 0.5 * losses.iloc[0]
    assert result.model.backbone is backbone
    assert not backbone.training
    assert any(not torch.equal(before[name], value) for name, value in backbone.state_dict().items())


def test_a_mean_is_over_the_masked_tokens():
    backbone = bert().eval()
    samples, network = MaskedTexts(backbone, TITLES), MaskedNetwork(backbone).eval()
    torch.manual_seed(0)
    batch = samples.collate(np.arange(20))
    total, count = network(**batch)
    assert count == (batch["labels"] != IGNORED).sum() > 1
    states = backbone.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0]
    table = backbone.model.get_input_embeddings().weight
    logits = network.transform(states) @ table.t() + network.bias
    wanted = nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), reduction="sum")
    assert total.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_head_is_tied_to_the_word_embeddings():
    network = MaskedNetwork(bert())
    table = network.backbone.model.get_input_embeddings().weight
    assert sum(p is table for p in network.parameters()) == 1
    # no other parameter is of the vocabulary's size but the bias
    assert [tuple(p.shape) for p in network.parameters() if 30522 in p.shape] == [(30522,), (30522, 64)]


def test_the_shares_of_masking():
    backbone = bert()
    samples = MaskedTexts(backbone, [f"{title} {number}" for title in TITLES for number in range(60)])
    rows = np.arange(len(samples))
    plain = DistinctTexts.collate(samples, rows)["input_ids"]
    torch.manual_seed(1)
    batch = samples.collate(rows)
    chosen = batch["labels"] != IGNORED
    special = torch.isin(plain, torch.tensor(backbone.tokenizer.all_special_ids))
    assert not (chosen & special).any()  # [CLS], [SEP], padding
    assert torch.equal(batch["labels"][chosen], plain[chosen])
    assert torch.equal(batch["input_ids"][~chosen], plain[~chosen])
    assert chosen.sum() / (~special).sum() == pytest.approx(0.15, abs=0.01)
    seen = batch["input_ids"][chosen]
    masked, kept = seen == backbone.tokenizer.mask_token_id, seen == plain[chosen]
    assert masked.float().mean() == pytest.approx(0.8, abs=0.03)
    assert kept.float().mean() == pytest.approx(0.1, abs=0.03)
    other = seen[~masked & ~kept]
    assert len(other.unique()) > 0.9 * len(other)  # drawn from the whole vocabulary
    assert not torch.isin(other, torch.tensor(backbone.tokenizer.all_special_ids)).any()


def test_masks_come_from_torchs_generator_and_differ_between_draws():
    samples, rows = MaskedTexts(bert(), TITLES), np.arange(30)
    torch.manual_seed(5)
    first, second = samples.collate(rows), samples.collate(rows)
    torch.manual_seed(5)
    again = samples.collate(rows)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["labels"], second["labels"])


def test_a_batch_asks_for_one_token_at_least():
    samples = MaskedTexts(bert(), ["apple", "boat"])
    for seed in range(30):
        torch.manual_seed(seed)
        assert (samples.collate(np.array([0]))["labels"] != IGNORED).sum() == 1
    short = replace(MASKED, token_budget=None, batch_size=1, mixed_precision="no")
    assert further_pretrain(bert(), ["apple", "boat"], "masked", short).steps == 2


def test_equal_and_unreadable_texts_are_left_out():
    texts = ["Red shoe", "red  SHOE", "", "🦊", "blue shoe", "x" * 100_000, "红色", "red shoe"]
    backbone = bert()
    samples = DistinctTexts(backbone, texts)
    rows = samples.collate(np.arange(len(samples)))["input_ids"]
    read = backbone.tokenizer.batch_decode(rows, skip_special_tokens=True)
    assert read[:2] == ["red shoe", "blue shoe"]
    assert len(set(read)) == len(read)
    assert "" not in read
    assert samples.lengths.tolist() == [(row != backbone.tokenizer.pad_token_id).sum() for row in rows]
    assert samples.lengths.max() <= 64


def found_again(backbone, seed=0):
    """How much nearer a text's two readings are than the readings of two texts."""
    network = ContrastiveNetwork(backbone).train()
    batch = DistinctTexts(backbone, TITLES).collate(np.arange(len(TITLES)))
    torch.manual_seed(seed)
    with torch.no_grad():
        total, count = network(**batch)
    backbone.eval()
    return -total.item() / count


def test_contrastive_training_tells_texts_apart():
    backbone = bert()
    before = found_again(backbone)
    result = further_pretrain(backbone, TITLES, "contrastive", PAIRED)
    assert found_again(backbone) > before + 0.5
    assert result.history["loss"].iloc[-3:].mean() < result.history["loss"].iloc[:3].mean()


@pytest.mark.parametrize(("how", "told"), [("masked", LIVELY), ("contrastive", PAIRED)])
def test_a_seed_fixes_the_weights(how, told):
    def trained(seed):
        backbone = bert()
        further_pretrain(backbone, TITLES, how, replace(told, epochs=1, seed=seed))
        return weights(backbone)

    first, again, other = trained(0), trained(0), trained(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("how", ["masked", "contrastive"])
def test_the_defaults_run_in_bf16(how):
    result = further_pretrain(bert(), TITLES, how)
    assert result.steps == 1
    assert np.isfinite(result.history["loss"]).all()


def test_frozen_layers_stay():
    backbone = load_backbone("random-bert")
    set_trainable(backbone, "last-1")
    before = weights(backbone)
    further_pretrain(backbone, TITLES, "masked", replace(LIVELY, epochs=1))
    moved = {name for name, value in backbone.state_dict().items() if not torch.equal(before[name], value)}
    assert moved
    assert all("layer.1." in name for name in moved)


def test_a_decoder_learns_by_contrast_only():
    gpt = load_backbone("random-gpt", layers=1)
    with pytest.raises(ValueError, match=r"random-gpt is a decoder .* how='contrastive'"):
        further_pretrain(gpt, TITLES, "masked", LIVELY)
    assert np.isfinite(further_pretrain(gpt, TITLES, "contrastive", PAIRED).history["loss"]).all()


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(ValueError, match="how must be 'masked' or 'contrastive', not 'both'"):
        further_pretrain(bert(), TITLES, "both")
    for texts in ([], ["a red shoe"], ["a red shoe", "A red  shoe", ""]):
        with pytest.raises(ValueError, match="two different ones at least"):
            further_pretrain(bert(), texts, "contrastive")
    with pytest.raises(ValueError, match="not one string"):
        further_pretrain(bert(), "a red shoe", "masked")
    with pytest.raises(ValueError, match="text 1 is None"):
        further_pretrain(bert(), ["a", None], "masked")
    frozen, dry, maskless = bert(), bert(), bert()
    set_trainable(frozen, "none")
    with pytest.raises(ValueError, match="no parameter of random-bert is trainable"):
        further_pretrain(frozen, TITLES, "masked")
    for module in dry.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with pytest.raises(ValueError, match="has no dropout"):
        further_pretrain(dry, TITLES, "contrastive")
    maskless.tokenizer.mask_token = None
    with pytest.raises(ValueError, match="has no mask token"):
        further_pretrain(maskless, TITLES, "masked")
