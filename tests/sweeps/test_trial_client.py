"""A trial process that is reused is as good as a new one."""

from recsys.sweeps.arm import Arm
from recsys.sweeps.spec import Method
from tests.sweeps.conftest import drive, small_spec


def test_a_trial_is_not_blamed_for_memory_that_earlier_ones_left_behind(tmp_path):
    """Found by the searcher table: after 460 trials in one process the next one "used 3.01 GiB"."""
    spec = small_spec(
        fixed={"fault": "leak", "seconds": 0.5},  # long enough to be looked at
        budget={"trials": 12},
        limits={"seconds": 60.0, "memory_gb": 0.6},
    )
    arm = Arm(spec, Method(), 0, tmp_path)
    drive(arm, tmp_path)
    assert [trial.reason for trial in arm.trials] == [""] * 12
