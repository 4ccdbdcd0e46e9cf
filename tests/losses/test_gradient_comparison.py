from recsys.losses.gradient_comparison import compare_gradients


def test_all_ways_to_the_gradient_agree():
    table = compare_gradients(seed=3)["relative"]
    assert table["by hand against autograd"] < 1e-12
    assert table["chunked against autograd"] < 1e-12
    assert 0 < table["finite differences against autograd"] < 1e-7
