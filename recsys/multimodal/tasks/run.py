"""The notebook's entry point: run a task by name with the settings that its grid varies."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.code.registry import Registry
from recsys.data.load import load_dataset
from recsys.data.sources import DEMO_STORE
from recsys.multimodal.alignment import AlignSettings
from recsys.multimodal.classifier import FitSettings
from recsys.multimodal.tasks.outcome import Outcome

TASKS = Registry(
    "multimodal task",
    {
        "classify": "recsys.multimodal.tasks.run:run_classify",
        "retrieve": "recsys.multimodal.tasks.run:run_retrieve",
        "next_item": "recsys.multimodal.tasks.run:run_next_item",
        "wiring": "recsys.multimodal.tasks.run:run_wiring",
    },
)


@dataclass(frozen=True)
class Plan:
    """Settings of one run.

    task: a name of TASKS. dataset: of labelled media, a log, or "demo_store". label: of "classify".
    modalities: joined by "+", for instance "words+picture"; of "retrieve" those of the photo.
    described: of "retrieve", the other side. operator: of "classify"; of "next_item" the model ("ease",
    "side_information", "late", "content", "popularity", "random"). knock_out: "modality:kind" or "".
    modality_dropout: in training. missing: the modality whose gaps the curve shows. cold_share: of items held
    out of training. same_items: joined by "+". side: pixels of pictures. most_rows: of the table, 0 all.
    rival: of "classify": whether `missing` is held against a model that never had it. trials: settings tried
    on validation. epochs: at most. size: of the demo store.
    """

    task: str = "classify"
    dataset: str = DEMO_STORE
    label: str = "colour"
    modalities: str = "text+picture"
    described: str = "words+text"
    operator: str = "concatenation"
    knock_out: str = ""
    modality_dropout: float = 0.0
    missing: str = "picture"
    rival: bool = False
    cold_share: float = 0.0
    same_items: str = ""
    side: int = 128
    most_rows: int = 0
    trials: int = 3
    epochs: int = 15
    size: str = "full"
    threads: int = 1
    seed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The modalities, in order."""
        return _split(self.modalities)


def run_task(plan: Plan) -> Outcome:
    """Run the task that the plan names.

    Raises:
        RegistryError: no such task, data set or modality. FeatureError: settings that contradict each other.
    """
    return TASKS.load(plan.task)(plan)


def run_classify(plan: Plan) -> Outcome:
    """Product classification: `recsys.multimodal.tasks.classification.classify`."""
    from recsys.multimodal.tasks.classification import classify
    from recsys.multimodal.tasks.subjects import load_subjects

    settings = FitSettings(
        operator=plan.operator,
        modality_dropout=plan.modality_dropout,
        epochs=plan.epochs,
        seed=plan.seed,
    )
    subjects = load_subjects(plan.dataset, plan.most_rows)
    spoilt = {"knock_out": plan.knock_out, "missing": plan.missing, "rival": plan.rival}
    return classify(subjects, plan.label, plan.names, settings, trials=plan.trials, side=plan.side, **spoilt)


def run_retrieve(plan: Plan) -> Outcome:
    """Photo to name: `recsys.multimodal.tasks.retrieval.retrieve`."""
    from recsys.multimodal.tasks.retrieval import retrieve
    from recsys.multimodal.tasks.subjects import load_subjects

    subjects = load_subjects(plan.dataset, plan.most_rows)
    settings = AlignSettings(seed=plan.seed, epochs=plan.epochs)
    return retrieve(subjects, plan.names, _split(plan.described), settings, plan.side)[0]


def run_next_item(plan: Plan) -> Outcome:
    """Next items of a log: `recsys.multimodal.tasks.next_item.next_items`."""
    from recsys.multimodal.tasks.next_item import load_task, next_items

    options = {"size": plan.size} if plan.dataset == DEMO_STORE else {}
    task = load_task(load_dataset(plan.dataset, **options), plan.cold_share)
    return next_items(
        task,
        plan.operator,
        plan.names,
        plan.knock_out,
        _split(plan.same_items),
        plan.threads,
        plan.side,
        plan.seed,
    )


def run_wiring(plan: Plan) -> Outcome:
    """The check on synthetic tastes: `recsys.multimodal.tasks.wiring.wiring_check`."""
    from recsys.multimodal.tasks.wiring import wiring_check

    return wiring_check(plan.names, seed=plan.seed, size=plan.size, side=plan.side, knock_out=plan.knock_out)


def _split(names: str) -> tuple[str, ...]:
    return tuple(name for name in names.split("+") if name)
