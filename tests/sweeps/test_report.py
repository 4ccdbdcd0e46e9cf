"""A sweep's page is whole: figures inside, best settings, failures with their configuration."""

import re

import pytest

from recsys.sweeps.arm import Arm
from recsys.sweeps.report import write_sweep_report
from recsys.sweeps.spec import Method, SweepError
from recsys.training.hyperparameter_search.trial import DONE, FAILED
from tests.sweeps.conftest import SPACE, small_spec


def test_a_page_with_figures_and_failures(tmp_path):
    spec = small_spec(
        space=SPACE | {"kind": {"choice": ["round", "flat"]}},
        objectives=[{"metric": "quality"}, {"metric": "cost", "direction": "min"}],
        budget={"trials": 20},
        repeats=2,
    )
    folder = tmp_path / "sweeps" / "small"
    for repeat in (0, 1):
        arm = Arm(spec, Method(sampler="random"), repeat, folder)
        while proposed := arm.propose():
            number, settings = proposed
            metrics = {"quality": 1 - settings["x"] ** 2, "cost": 2 + settings["x"]}
            state = FAILED if number == 7 else DONE
            said = {"metrics": metrics, "core_seconds": 0.5, "reason": "planted <reason>"}
            arm.end(number, state, said)
    page = write_sweep_report("small", tmp_path).read_text()
    titles = re.findall("<h2>(.*?)</h2>", page)
    assert titles == [
        "Best so far",
        "What was tried",
        "What matters",
        "The two numbers that matter most",
        "quality against cost",
        "2 failed trials",
    ]
    assert page.count("data:image/png;base64,") == 5
    assert "planted &lt;reason&gt;" in page
    assert not re.search(r"(src|href)=['\"]https?:", page)


def test_nothing_to_report(tmp_path):
    with pytest.raises(SweepError, match="no finished trial of small"):
        write_sweep_report("small", tmp_path)
