"""Small specs, and an engine without Ray: what an arm does must not depend on who drives it."""

from pathlib import Path

import pytest

from recsys.sweeps.arm import Arm
from recsys.sweeps.engine import ask
from recsys.sweeps.spec import Method, Spec
from recsys.sweeps.trials.trial_client import TrialClient
from recsys.training.hyperparameter_search.trial import DONE, FAILED

SPACE = {"x": {"real": [-1.0, 1.0]}, "y": {"real": [-1.0, 1.0]}}


def small_spec(**changed) -> Spec:
    whole = {
        "name": "small",
        "question": "Where is the top?",
        "function": "planted",
        "space": SPACE,
        "objectives": [{"metric": "quality"}],
        "budget": {"trials": 6},
    }
    return Spec.model_validate(whole | changed)


def drive(arm: Arm, folder: Path, most: int | None = None) -> list[tuple[int, str]]:
    """Run trials one after another in one warm process; (number, reason) in the order they ended."""
    spec, told = arm.spec, ask(arm.spec, folder)
    client = TrialClient(spec.needs.threads, spec.limits.seconds, spec.limits.memory_gb, told["environment"])
    ended = []
    try:
        while (most is None or len(ended) < most) and (proposed := arm.propose()):
            number, settings = proposed
            every = told["ask"]["unsearched"] | settings
            client.begin(told["ask"] | {"settings": every})
            message, epoch = client.next(), 1
            while message.kind == "report":
                arm.report(number, epoch, message.metrics, message.core_seconds)
                message, epoch = client.next(), epoch + 1
            state = FAILED if message.kind == "failed" else DONE
            said = {"metrics": message.metrics, "reason": message.reason}
            trial = arm.end(number, state, said | {"core_seconds": message.core_seconds})
            ended.append((number, trial.reason))
    finally:
        client.close()
    return ended


@pytest.fixture
def quasi_random() -> Method:
    return Method()
