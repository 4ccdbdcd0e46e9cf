import pytest

from recsys.benchmarks import roofline
from recsys.benchmarks.roofline import Cost, Peaks, cost_of, least_seconds, measure_peaks, share_of_limit

PEAKS = Peaks(1, {"fp32": 1e11, "int8": 4e11}, {"fp32": 1e10, "int8": 1e10}, memory=2e10)


def test_minilm_s_cost(minilm):
    cost = cost_of(minilm)
    # 6 layers of 4 maps 384 × 384 and two 384 × 1536
    assert cost.weights == 6 * (4 * 384 * 384 + 2 * 384 * 1536) == 10_616_832
    assert cost.flops_per_token == 21_233_664  # 21.2 MFLOP (ANCHORS)
    assert cost.attention == 6 * 4 * 384
    assert cost.row == 384


@pytest.mark.parametrize(("name", "weights"), [("bert", 12 * 64 * 64), ("gpt", 12 * 64 * 64)])
def test_cost_of_both_kinds(name, weights, request):
    assert cost_of(request.getfixturevalue(name)).weights == 2 * weights


def test_a_query_is_bound_by_memory_and_a_batch_by_its_products():
    cost = Cost(weights=10**7, flops_per_token=2 * 10**7, attention=9216, row=384)
    assert least_seconds(cost, PEAKS, [4], "fp32") == pytest.approx(4 * (10**7 + 4 * 384) / 2e10)
    many = [30] * 500
    assert least_seconds(cost, PEAKS, many, "fp32") == pytest.approx(cost.flops(many) / 1e11)
    assert cost.flops([2, 3]) == 5 * 2 * 10**7 + 9216 * (4 + 9)
    assert share_of_limit(cost, PEAKS, many, "int8", 1.0) == pytest.approx(cost.flops(many) / 4e11)


def test_peaks_are_measured():
    peaks = measure_peaks(seconds=0.001)
    assert peaks.threads == 1
    assert {"fp32"} <= set(peaks.large) <= {"fp32", "bf16", "int8"}
    assert min(*peaks.large.values(), *peaks.skinny.values(), peaks.memory) > 0


@pytest.mark.parametrize("precision", list(roofline.BYTES))
def test_all_ways_to_a_product_give_it(precision):
    right = roofline.LARGE[1]  # of ones
    found = [product() for product in roofline._products(precision, roofline.SKINNY_ROWS)]
    assert precision != "fp32" or found
    for product in found:
        assert product.shape == (roofline.SKINNY_ROWS, roofline.LARGE[2])
        assert (product == right).all()
