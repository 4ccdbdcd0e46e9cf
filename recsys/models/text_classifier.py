"""A pretrained encoder learns a labelled task, by full tuning or by a parameter-efficient method.

B: texts in a batch. T: tokens. N: texts of a part. C: outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from recsys.encoders.backbone import load_backbone
from recsys.encoders.length_batches import length_batches
from recsys.encoders.tokens import Tokens, tokenise
from recsys.models.labelled_task import LabelledTask, Part, judge
from recsys.models.sequence_classifier import SequenceClassifier
from recsys.models.tuning import FULL, Tuning
from recsys.training.loop import train
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    epochs=3,
    learning_rate=1e-4,
    head_learning_rate=3e-2,
    schedule="linear",
    warmup_share=0.1,
    weight_decay=0.01,
    token_budget=2048,
    mixed_precision="bf16",
)
READ_AT_ONCE = 8192  # tokens of a batch when nothing is learnt


class LabelledSamples:
    """Texts with a label each, as the training loop asks for them."""

    def __init__(self, tokens: Tokens, labels: np.ndarray):
        self.tokens, self.labels = tokens, torch.from_numpy(labels)
        self.lengths = tokens.lengths

    def __len__(self) -> int:
        return len(self.tokens)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """input_ids, attention_mask [B, T], label [B]."""
        input_ids, attention_mask = self.tokens.take(indices)
        return {"input_ids": input_ids, "attention_mask": attention_mask, "label": self.labels[indices]}


class TextClassifier:
    """See the module.

    Args:
        task: what is learnt.
        tuning: how the backbone learns; the head always learns all of itself.
        backbone, layers, pretrained: see `recsys.encoders.backbone.load_backbone`.
        settings: of training; `learning_rate` is the backbone's and the adapter's, `head_learning_rate` the
            head's. Its seed also draws the head, the adapter and random weights.

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
    ):
        self.task, self.tuning, self.settings = task, tuning, tuning.settings(settings)
        self.load = {"name": backbone, "layers": layers, "pretrained": pretrained, "seed": settings.seed}

    def fit(
        self, judge_by: Part | None = None, folder: Path | None = None, progress: bool = False
    ) -> TextClassifier:
        """Train on the task's training part. Returns itself.

        Args:
            judge_by: judged after every epoch (`TrainingSettings.evaluate_every`) by the task's primary
                metric; the best weights are kept. None trains to the end.
            folder, progress: see `recsys.training.loop.train`.

        Raises:
            ValueError: see `Tuning.apply` and `train`.
        """
        torch.manual_seed(self.settings.seed)
        backbone = load_backbone(**self.load)
        self.samples = LabelledSamples(self._tokens(backbone, self.task.train), self.task.train.labels)
        self.network = SequenceClassifier(backbone, self.task.outputs)
        if self.task.kind == "grade":  # else the first steps only find the mean
            nn.init.constant_(self.network.head.bias, float(self.task.train.labels.mean()))
        self.counts = self.tuning.apply(backbone, self.samples.tokens, self.settings.seed)
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

    @torch.inference_mode()
    def outputs(self, part: Part) -> np.ndarray:
        """[N, C] float32: logits of classes, or one grade."""
        network, backbone = self.network, self.network.backbone
        tokens = self._tokens(backbone, part)
        found = np.empty((len(part), self.task.outputs), dtype=np.float32)
        device, training = next(network.parameters()).device, network.training
        network.eval()
        bf16 = self.settings.mixed_precision == "bf16"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            for batch in length_batches(tokens.lengths, token_budget=READ_AT_ONCE):
                ids, mask = tokens.take(batch)
                found[batch] = network(ids.to(device), mask.to(device)).float().cpu().numpy()
        network.train(training)
        return found

    def judge(self, part: Part) -> dict[str, float]:
        """Metrics on a part; see `recsys.models.labelled_task.judge`."""
        return judge(self.task, part, self.outputs(part))

    def _tokens(self, backbone, part: Part) -> Tokens:
        return tokenise(backbone, part.texts, max_tokens=self.task.max_tokens)


def _class_loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    logits = network(batch["input_ids"], batch["attention_mask"]).float()
    return cross_entropy(logits, batch["label"], reduction="sum"), len(logits)


def _grade_loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    grades = network(batch["input_ids"], batch["attention_mask"]).float()[:, 0]
    return mse_loss(grades, batch["label"].float(), reduction="sum"), len(grades)
