import copy

import pytest
import torch

from recsys.encoders.peft.adapter_files import load_adapter, save_adapter
from recsys.encoders.peft.adaptive_rank import (
    AdaptiveRank,
    drop_zero_ranks,
    orthogonality,
    ranks_by_matrix,
    with_orthogonality,
)
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.tokens import tokenise

TEXTS = ["a red summer dress", "boots", "hand cream", "blue jeans"]
STEPS = 30


def own(backbone):
    """A copy that may be changed; the tokenizer, slow to copy, is shared."""
    return copy.deepcopy(backbone, {id(backbone.tokenizer): backbone.tokenizer})


def build(bare):
    backbone = own(bare)
    apply_method(backbone, "adalora", init_r=8, target_r=4)
    allocator = AdaptiveRank(backbone, STEPS, final_rank=3)
    optimizer = torch.optim.AdamW([p for p in backbone.parameters() if p.requires_grad], lr=1e-2)
    return backbone, allocator, optimizer


def train(backbone, allocator, optimizer, first=1, last=STEPS, called=True):
    """As the training loop does; total rank after every step."""
    ids, mask = tokenise(backbone, TEXTS).take(range(4))
    target = torch.linspace(-1, 1, 4 * backbone.width).view(4, -1)
    totals = []
    for step in range(first, last + 1):
        (backbone(ids, mask) - target).square().mean().backward()
        optimizer.step()
        if called:
            allocator.on_step(step)
        optimizer.zero_grad()
        totals.append(int(ranks_by_matrix(backbone)["rank"].sum()))
    return totals


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_total_rank_falls_along_the_schedule_to_the_budget(request, kind):
    backbone, allocator, optimizer = build(request.getfixturevalue(kind))
    totals = train(backbone, allocator, optimizer)
    matrices = 4 if kind == "bert" else 2
    assert totals[:3] == [8 * matrices] * 3  # warm-up: 10 % of the steps
    assert totals == [allocator.budget(step) for step in range(1, STEPS + 1)]
    assert totals == sorted(totals, reverse=True)
    assert totals[20:] == [3 * matrices] * 10
    allocator.finish()
    ranks = ranks_by_matrix(backbone)
    values = {n: int((p != 0).sum()) for n, p in backbone.model.named_parameters() if "lora_E" in n}
    assert list(ranks["rank"]) == list(values.values())  # what the frame says is what the model has
    assert list(ranks.columns) == ["layer", "matrix", "rank"]
    assert set(ranks["matrix"]) == ({"query", "value"} if kind == "bert" else {"attn.c_attn"})
    assert set(ranks["layer"]) == {0, 1}


def test_a_loop_that_does_not_call_the_allocator_is_found_out(bert):
    backbone, allocator, optimizer = build(bert)
    assert train(backbone, allocator, optimizer, called=False) == [32] * STEPS
    with pytest.raises(RuntimeError, match="32 ranks are left, the budget is 12: the weights are of step 0"):
        allocator.finish()


def test_a_call_too_late_or_left_out_is_refused(bert):
    backbone, allocator, optimizer = build(bert)
    with pytest.raises(ValueError, match="before zero_grad"):
        allocator.on_step(1)
    train(backbone, allocator, optimizer, last=2)
    for wrong in (2, 4):
        with pytest.raises(ValueError, match="last called at step 2"):
            allocator.on_step(wrong)


def test_a_resumed_training_ends_with_the_same_ranks(bert):
    whole, straight = build(bert), build(bert)
    train(*straight)
    train(*whole, last=12)
    backbone, allocator, optimizer = build(bert)
    backbone.load_state_dict(copy.deepcopy(whole[0].state_dict()))  # all that a checkpoint holds
    optimizer.load_state_dict(copy.deepcopy(whole[2].state_dict()))
    train(backbone, allocator, optimizer, first=13)
    assert ranks_by_matrix(backbone).equals(ranks_by_matrix(straight[0]))
    states = backbone.state_dict(), straight[0].state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_dropping_zero_ranks_keeps_vectors_and_shrinks_the_file(bert, tmp_path):
    backbone, allocator, optimizer = build(bert)
    train(backbone, allocator, optimizer)
    batch = tokenise(backbone, TEXTS).take(range(4))
    before, ranks = backbone(*batch).detach(), ranks_by_matrix(backbone)
    large = save_adapter(backbone, tmp_path / "large")
    assert drop_zero_ranks(backbone) == 12 * (64 + 64 + 1)
    small = save_adapter(backbone, tmp_path / "small")
    assert small < 0.6 * large
    torch.testing.assert_close(backbone(*batch), before, atol=1e-5, rtol=0)
    again = own(bert)
    load_adapter(again, tmp_path / "small")
    assert torch.equal(again(*batch), backbone(*batch))
    assert ranks_by_matrix(again).equals(ranks)


def test_orthogonality_is_that_of_the_paper(bert):
    backbone, _, _ = build(bert)
    weights = {n: p for n, p in backbone.model.named_parameters() if "lora_A" in n or "lora_B" in n}
    norms = [((p @ p.T if "lora_A" in n else p.T @ p) - torch.eye(8)).norm() for n, p in weights.items()]
    torch.testing.assert_close(orthogonality(backbone), sum(norms) / len(norms))
    loss = with_orthogonality(lambda model, batch: (torch.tensor(2.0), 3), weight=0.5)
    torch.testing.assert_close(loss(backbone, {})[0], 2 + 1.5 * orthogonality(backbone))


def test_refusals(bert):
    backbone = own(bert)
    with pytest.raises(ValueError, match="no LoRA layers"):
        ranks_by_matrix(backbone)
    apply_method(backbone, "lora", r=5)
    assert set(ranks_by_matrix(backbone)["rank"]) == {5}
    with pytest.raises(ValueError, match="has 'lora', not 'adalora'"):
        AdaptiveRank(backbone, 100)
    other = own(bert)
    apply_method(other, "adalora")
    with pytest.raises(ValueError, match="final_rank must be from 1 to 7"):
        AdaptiveRank(other, 100, final_rank=8)
    with pytest.raises(ValueError, match="too few"):
        AdaptiveRank(other, 2)
    with pytest.raises(ValueError, match="shares"):
        AdaptiveRank(other, 100, warmup_share=0.5, final_share=0.5)
