"""The training loops that are compared: a plain torch loop, this kit's, sentence-transformers' Trainer.

Each trains the given backbone on the same task and returns how long that took, from texts to trained weights;
building the model and the Trainer beforehand is not counted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from recsys.encoders.backbone import Backbone, quiet
from recsys.losses.contrastive import SCALE, in_batch_softmax
from recsys.training.clocks import clocks
from recsys.training.contrastive_samples import TextPairs, contrastive_loss
from recsys.training.loop import train
from recsys.training.settings import TrainingSettings

CLIP = 1.0  # sentence-transformers' default


@dataclass(frozen=True)
class Pairs:
    """n pairs of texts, as from `recsys.training.contrastive_samples.title_pairs`."""

    left: Sequence[str]
    right: Sequence[str]

    def __post_init__(self):
        if len(self.left) != len(self.right):
            raise ValueError(f"{len(self.left)} left texts and {len(self.right)} right ones: a pair has both")

    def __len__(self) -> int:
        return len(self.left)

    def take(self, rows: slice | np.ndarray) -> Pairs:
        """The pairs of some rows."""
        rows = np.arange(len(self))[rows]
        return Pairs([self.left[i] for i in rows], [self.right[i] for i in rows])


@dataclass(frozen=True)
class Task:
    """A training task for the loops. seed: of the order of the pairs and of dropout."""

    pairs: Pairs
    batch_size: int
    max_tokens: int
    learning_rate: float
    seed: int

    @property
    def steps(self) -> int:
        """Optimiser steps: whole batches of the pairs."""
        return -(-len(self.pairs) // self.batch_size)


def _plain(backbone: Backbone, task: Task) -> tuple[np.ndarray, Backbone]:
    device, steps, size = next(backbone.parameters()).device, task.steps, task.batch_size

    def encode(texts: Sequence[str]) -> torch.Tensor:
        rows = backbone.tokenizer(
            texts, padding=True, truncation=True, max_length=task.max_tokens, return_tensors="pt"
        ).to(device)
        return backbone(rows["input_ids"], rows["attention_mask"])

    start = clocks()
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=task.learning_rate, weight_decay=0.0)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    order = torch.randperm(len(task.pairs)).numpy()
    backbone.train()
    for step in range(steps):
        batch = task.pairs.take(order[step * size : (step + 1) * size])
        loss = in_batch_softmax(encode(batch.left), encode(batch.right)) / len(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(backbone.parameters(), CLIP)
        optimizer.step()
        decay.step()
        optimizer.zero_grad()
    return clocks() - start, backbone


def _kit(precision: str) -> Callable[[Backbone, Task], tuple[np.ndarray, Backbone]]:
    def run(backbone: Backbone, task: Task) -> tuple[np.ndarray, Backbone]:
        settings = TrainingSettings(
            epochs=1,
            learning_rate=task.learning_rate,
            warmup_share=0.0,
            batch_size=task.batch_size,
            clip_norm=CLIP,
            mixed_precision=precision,
            seed=task.seed,
        )
        start = clocks()
        samples = TextPairs(backbone, task.pairs.left, task.pairs.right, task.max_tokens)
        result = train(backbone, samples, contrastive_loss, settings, progress=False)
        return clocks() - start, result.model

    return run


def _trainer(backbone: Backbone, task: Task, bf16: bool = False) -> tuple[np.ndarray, Backbone]:
    """sentence-transformers' own Trainer and loss; fp32 is its default, bfloat16 its fastest."""
    library, datasets = sentence_transformers_library()
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers.trainer_callback import PrinterCallback

    columns = {"anchor": list(task.pairs.left), "positive": list(task.pairs.right)}
    with tempfile.TemporaryDirectory() as folder, quiet():
        model = _as_sentence_transformer(library, backbone, folder, task.max_tokens)
        model.model_card_data.widget = ["none"]  # otherwise it searches for examples, with a progress bar
        trainer = library.SentenceTransformerTrainer(
            model=model,
            args=library.SentenceTransformerTrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=task.batch_size,
                learning_rate=task.learning_rate,
                max_grad_norm=CLIP,
                seed=task.seed,
                bf16=bf16,
                use_cpu=first_device().type == "cpu",
                dataloader_pin_memory=first_device().type != "cpu",
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_dict(columns),
            loss=MultipleNegativesRankingLoss(model, scale=SCALE),
        )
        trainer.remove_callback(PrinterCallback)
        start = clocks()
        trainer.train()
        spent = clocks() - start
    weights = {f"model.{name}": value for name, value in model[0].auto_model.state_dict().items()}
    backbone.load_state_dict(weights)
    return spent, backbone


def _as_sentence_transformer(library, backbone: Backbone, folder: str, max_tokens: int):
    """The same network and weights as modules of sentence-transformers, saved to and loaded from a folder."""
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    backbone.save(folder)
    options = {"add_pooling_layer": False} if backbone.model.config.model_type == "bert" else {}
    reader = Transformer(folder, model_kwargs=options, max_seq_length=max_tokens)
    how = {"last": "lasttoken"}.get(backbone.pooling, backbone.pooling)
    return library.SentenceTransformer(
        modules=[reader, Pooling(backbone.width, pooling_mode=how)], device=str(first_device())
    )


def sentence_transformers_library():
    """sentence-transformers and datasets, imported only when they are measured.

    Raises:
        ImportError: one is missing; the message says how to install it and how to leave it out.
    """
    try:
        import datasets
        import sentence_transformers
    except ImportError as error:
        raise ImportError(
            f"the loop 'sentence-transformers' needs the package {error.name}, which is not installed: "
            "pip install sentence-transformers datasets, or leave that loop out of `loops`"
        ) from error
    return sentence_transformers, datasets


def first_device() -> torch.device:
    """The accelerator if there is one, else the CPU."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


LOOPS: dict[str, Callable[[Backbone, Task], tuple[np.ndarray, Backbone]]] = {
    "plain fp32": _plain,
    "sentence-transformers": _trainer,
    "sentence-transformers bf16": partial(_trainer, bf16=True),
    "kit fp32": _kit("no"),
    "kit": _kit("bf16"),
}
BF16 = {"kit", "sentence-transformers bf16"}
