import pytest
import torch

from recsys.losses import scaling
from recsys.losses.click_likelihood import negative_log_likelihood
from recsys.losses.clicks import click_pairs
from recsys.losses.gradient_check import gradient_error
from recsys.losses.softmax import softmax_cross_entropy


@pytest.mark.parametrize("softmax", [False, True])
def test_gradient_error_sees_a_wrong_gradient(softmax):
    users = torch.randn(30, 4).requires_grad_()
    items = torch.randn(300, 4).requires_grad_()
    clicks = click_pairs(torch.arange(30).repeat(3), torch.randint(300, (90,)), 30, 300)
    loss = softmax_cross_entropy if softmax else negative_log_likelihood
    loss(users, items, clicks).backward()
    assert gradient_error(users, items, clicks, softmax) < 1e-5
    assert gradient_error(users, items, clicks, not softmax) > 0.01
    items.grad *= 1 + 1e-3
    assert gradient_error(users, items, clicks, softmax) == pytest.approx(1e-3, rel=0.05)


def test_measure_reports_one_case():
    found = scaling.measure(n_users=40, n_items=500, width=8, loss="bce", threads=1, repeats=1)
    assert found["seconds"] > 0
    assert found["share_of_gemm"] > 0
    assert found["gradient_error"] < 1e-5
    assert found["peak_memory_mb_above_inputs"] >= 0
    assert (found["n_items"], found["loss"]) == (500, "bce")
    assert found["value"] > 0


def test_an_unknown_loss_and_a_failed_process_are_told():
    with pytest.raises(ValueError, match="loss must be one of bce, softmax, bce_table, not 'hinge'"):
        scaling.measure(loss="hinge")
    with pytest.raises(ValueError, match="n_items must be at least 1, got 0"):
        scaling.measure(n_items=0)
    with pytest.raises(RuntimeError, match=r"measuring bce with 9 items failed: RuntimeError: .*positive"):
        scaling.measure(n_users=3, n_items=9, width=2, threads=0)


def test_the_curve_leaves_out_tables_that_would_not_fit(monkeypatch):
    monkeypatch.setattr(scaling, "measure", lambda n_items, loss, **case: {"n_items": n_items, "loss": loss})
    found = scaling.curve([1000, 1_000_000])
    assert found["loss"].tolist() == ["bce", "softmax", "bce_table", "bce", "softmax"]
