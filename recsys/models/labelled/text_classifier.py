"""Fine-tunes a pretrained encoder on a labelled task, fully or by a parameter-efficient method.

Where a label belongs to a pair of texts, each is encoded by itself: see `recsys.models.labelled.pair_grader`.

B: texts in a batch. T: tokens. N: texts of a part. C: outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.length_batches import length_batches
from recsys.encoders.tokens import Tokens, tokenise
from recsys.models.labelled.linear_probe import linear_probe
from recsys.models.labelled.pair_grader import PairGrader
from recsys.models.labelled.sequence_classifier import SequenceClassifier
from recsys.models.labelled.task import LabelledTask, Part, judge
from recsys.models.tuning_method import FULL, Tuning
from recsys.training.loop import train
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    epochs=3,
    learning_rate=1e-4,
    head_learning_rate=5e-3,
    schedule="linear",
    warmup_share=0.1,
    weight_decay=0.01,
    token_budget=2048,
    mixed_precision="bf16",
)
READ_AT_ONCE = 8192  # tokens of a batch at inference
STARTING_TOKENS = 20_000  # of the training texts that the head is initialised on


class LabelledSamples:
    """`Samples` of labelled texts for the training loop. pairs: tokens of the second texts, or None."""

    def __init__(self, tokens: Tokens, pairs: Tokens | None, labels: np.ndarray):
        self.tokens, self.pairs, self.labels = tokens, pairs, torch.from_numpy(labels)
        self.lengths = tokens.lengths if pairs is None else tokens.lengths + pairs.lengths

    def __len__(self) -> int:
        return len(self.tokens)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """input_ids, attention_mask [B, T], label [B]; of pairs also pair_ids, pair_mask."""
        batch = dict(zip(("input_ids", "attention_mask"), self.tokens.take(indices), strict=True))
        if self.pairs is not None:
            batch |= zip(("pair_ids", "pair_mask"), self.pairs.take(indices), strict=True)
        return batch | {"label": self.labels[indices]}


@dataclass
class TaskCache:
    """Results that models of the same backbone and task share, so that they are computed once.

    samples: a part and its tokens, by Python's id of the part (unique while the part is kept here).
    start: the head's initial weights.
    """

    samples: dict[int, tuple[Part, LabelledSamples]] = field(default_factory=dict)
    start: dict[str, Tensor] | None = None


class TextClassifier:
    """A pretrained encoder with a head, fine-tuned on a labelled task.

    Args:
        task: the labelled task.
        tuning: how the backbone is tuned; the head is always trained in full.
        backbone, layers, pretrained: see `recsys.encoders.backbone.load_backbone`.
        settings: of training; `learning_rate` is the backbone's and the adapter's, `head_learning_rate` the
            head's. Its seed also draws the texts that initialise the head, the adapter and random weights.
        shared: cache shared with other models of the same backbone, task and seed; None: no sharing.

    Attributes:
        counts: after `fit`, parameters of backbone and adapter, "trainable" and "total".
        network, samples, result: after `fit`.
    """

    def __init__(
        self,
        task: LabelledTask,
        tuning: Tuning = FULL,
        backbone: str = "minilm",
        layers: int | None = None,
        pretrained: bool = True,
        settings: TrainingSettings = SETTINGS,
        shared: TaskCache | None = None,
    ):
        self.shared = TaskCache() if shared is None else shared
        self.task, self.tuning, self.settings = task, tuning, tuning.settings(settings)
        self.load = {"name": backbone, "layers": layers, "pretrained": pretrained, "seed": settings.seed}

    def fit(
        self, judge_by: Part | None = None, folder: Path | None = None, progress: bool = False
    ) -> TextClassifier:
        """Train on the task's training part. Returns itself.

        Args:
            judge_by: part to evaluate on after every epoch (`TrainingSettings.evaluate_every`) by the task's
                primary metric; the best weights are kept. None trains to the end.
            folder, progress: see `recsys.training.loop.train`.

        Raises:
            ValueError: see `Tuning.apply` and `train`.
        """
        torch.manual_seed(self.settings.seed)
        backbone = load_backbone(**self.load)
        self.samples = self._samples(backbone, self.task.train)
        self.network = self._network(backbone)
        texts = self.samples.tokens if self.samples.pairs is None else self.samples.pairs
        self.counts = self.tuning.apply(backbone, texts, self.settings.seed)
        self.result: TrainingResult = train(
            self.network,
            self.samples,
            self.loss,
            self.settings,
            evaluate=None if judge_by is None else lambda _: self.judge(judge_by)[self.task.primary],
            on_step=self.tuning.on_step(backbone, self.samples, self.settings),
            folder=folder,
            task=f"{self.task.name} {self.task.kind} {self.tuning}",
            progress=progress,
        )
        self.tuning.finish(backbone)
        return self

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        """Cross-entropy of classes, or squared error of a grade; summed."""
        return self.tuning.loss(_grade_loss if self.task.kind == "grade" else _class_loss)(network, batch)

    def _network(self, backbone: Backbone) -> nn.Module:
        """The network, its head initialised on the untuned encoder (see `linear_probe`)."""
        task, shared = self.task, self.shared
        network = PairGrader(backbone) if task.paired else SequenceClassifier(backbone, task.outputs)
        if shared.start is None:
            self._start(network)
            shared.start = {name: value.clone() for name, value in network.head.state_dict().items()}
        network.head.load_state_dict(shared.start)
        return network

    def _start(self, network: nn.Module) -> None:
        task, bf16 = self.task, self.settings.mixed_precision == "bf16"
        some = np.random.default_rng(self.settings.seed).permutation(len(task.train))
        some = some[: max(1, np.searchsorted(self.samples.lengths[some].cumsum(), STARTING_TOKENS))]
        labels = task.train.labels[some]
        if task.paired:
            # logits of -2 and 2 for two classes, grades as they are
            wanted = labels if task.kind == "grade" else 4.0 * labels - 2
            network.start_from(_read(network, self.samples, some, bf16)[:, 0], wanted)
        else:
            vectors = _read(network.backbone, self.samples, some, bf16)
            network.start_from(*linear_probe(vectors, labels, task.outputs))

    def outputs(self, part: Part) -> np.ndarray:
        """[N, C] float32: logits of classes, or one grade."""
        samples = self._samples(self.network.backbone, part)
        return _read(self.network, samples, np.arange(len(part)), self.settings.mixed_precision == "bf16")

    def judge(self, part: Part) -> dict[str, float]:
        """Metrics on a part; see `recsys.models.labelled.task.judge`."""
        return judge(self.task, part, self.outputs(part))

    def _samples(self, backbone: Backbone, part: Part) -> LabelledSamples:
        known = self.shared.samples
        if id(part) not in known:
            tokens = tokenise(backbone, part.texts, max_tokens=self.task.max_tokens)
            pairs = part.pairs and tokenise(backbone, part.pairs, max_tokens=self.task.max_tokens)
            known[id(part)] = part, LabelledSamples(tokens, pairs, part.labels)
        return known[id(part)][1]


def _class_loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    logits = _forward(network, batch)
    if logits.shape[1] == 1:  # of a pair: logit of the second class, that of the first is 0
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return cross_entropy(logits, batch["label"], reduction="sum"), len(logits)


def _grade_loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    grades = _forward(network, batch)[:, 0]
    return mse_loss(grades, batch["label"].float(), reduction="sum"), len(grades)


def _forward(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    second = (batch["pair_ids"], batch["pair_mask"]) if "pair_ids" in batch else ()
    return network(batch["input_ids"], batch["attention_mask"], *second).float()


@torch.inference_mode()
def _read(network: nn.Module, samples: LabelledSamples, rows: np.ndarray, bf16: bool) -> np.ndarray:
    """[len(rows), C] float32, without dropout."""
    device, training = next(network.parameters()).device, network.training
    network.eval()
    found = []
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        batches = length_batches(samples.lengths[rows], token_budget=READ_AT_ONCE)
        for batch in batches:
            inputs = {name: tensor.to(device) for name, tensor in samples.collate(rows[batch]).items()}
            found.append(_forward(network, inputs).cpu().numpy())
    network.train(training)
    return np.concatenate(found)[np.argsort(np.concatenate(batches))]
