"""Which stacks a ladder needs, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.benchmarks.ladder.steps import ALL, NEEDS, OTHER_ORDER, STEPS, comparisons, parse, stacks, told
from recsys.ensembling.errors import EnsembleError


def test_a_ladder_has_its_ground_each_step_alone_and_all_added():
    found = stacks()
    assert found[0] == ()
    assert ("pretrained", "fine_tuned") in found
    assert ("fusion",) in found
    assert found[-1] == tuple(STEPS)
    assert len(set(found)) == len(found)


def test_each_comparison_changes_one_step():
    for one in comparisons():
        if one.step != ALL:
            assert set(one.above) - set(one.below) == {one.step}
            assert set(one.below) < set(one.above)
    ways = {(one.step, one.way) for one in comparisons()}
    assert {(step, way) for step in STEPS for way in ("alone", "added", "other order")} < ways
    assert set(OTHER_ORDER) == set(STEPS)


def test_a_shop_without_pictures_has_a_ladder_without_that_step():
    steps = [step for step in STEPS if step != "multimodal"]
    assert all("multimodal" not in stack for stack in stacks(steps))
    assert stacks(steps)[-1] == tuple(steps)


@given(st.lists(st.sampled_from(list(STEPS)), unique=True))
def test_a_stack_is_told_as_it_is_read(steps):
    lacking = any(NEEDS.get(step, step) not in steps for step in steps)
    if lacking:
        with pytest.raises(EnsembleError, match="needs pretrained"):
            parse(" ".join(steps))
    else:
        assert parse(told(parse(" ".join(steps) or "ground"))) == tuple(s for s in STEPS if s in steps)


@pytest.mark.parametrize("wrong", ["magic", "fusion fusion", "fine_tuned", "ground fusion"])
def test_other_stacks_are_refused(wrong):
    with pytest.raises(EnsembleError):
        parse(wrong)


def test_an_order_with_a_step_before_what_it_needs_is_refused():
    with pytest.raises(EnsembleError, match="needs pretrained"):
        comparisons(other=("fine_tuned", "pretrained"))
