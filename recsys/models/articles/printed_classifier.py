"""The articles' recommender, corrected: a BERT sequence classifier with one class per product.

000 §5.2 and 004 §5.2 print a program each; `recsys.models.articles.printed_errors` shows what stops them. The
intention of 000 §5.2 is kept: a user's history as one text, a backbone, dropout, a linear layer of M classes,
cross-entropy with the next item, AdamW at a constant 2e-5, 5 epochs of batches of 16, at most 128 tokens.

As x_u · w_i (000 §4.2): logits = W h_u + b, so x_u = (h_u, 1) and w_i = (W_i, b_i), with h_u the pooled
vector of the text. Every w_i is a free parameter with a random start: the item's own title is never read, and
the score of an item that is never a target can only fall.

Where the printed program leaves a choice, or the corrected model differs from it:

* Batches are padded to their longest text, not to 128. The result is the same, since attention and pooling
  skip padding: the logits agree to rounding, and only dropout draws other numbers.
* h_u is pooled as `load_backbone` does (mean of the tokens for an encoder). BertForSequenceClassification
  puts a dense tanh layer on [CLS] between; the packaged MiniLM was trained without one.
* Weight decay is 0, the default of the AdamW that was printed; that of torch.optim.AdamW is 0.01.
* One label per sequence: the next item, since a classifier takes no list of labels.

B: users or samples. T: tokens. M: items. D: width of the backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import classification_report
from torch import Tensor
from torch.nn.functional import cross_entropy

from recsys.data.histories import Histories
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.item_text import MAX_ITEMS, history_texts
from recsys.encoders.tokens import tokenise
from recsys.metrics.ranking import Scorer
from recsys.models.labelled.sequence_classifier import SequenceClassifier
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.models.next_item.text_recommender import TextPrefixSamples
from recsys.training.next_item import NextItemRecommender
from recsys.training.prefixes import PrefixSamples
from recsys.training.settings import TrainingSettings

# for mixed precision or length buckets use `dataclasses.replace(PRINTED, mixed_precision="bf16", ...)`
PRINTED = TrainingSettings(
    epochs=5,
    learning_rate=2e-5,
    schedule="constant",
    warmup_share=0.0,
    batch_size=16,
    length_buckets=False,
    clip_norm=None,
)
SUMMARIES = ["accuracy", "macro avg", "weighted avg"]  # rows of scikit-learn's report that are no class


class PrintedClassifier(NextItemRecommender):
    """The corrected classifier as a next-item recommender; the model is described in the module.

    Args:
        texts: of the M items, usually titles; "" where nothing is known.
        backbone, layers: see `recsys.encoders.backbone.load_backbone`. A decoder reads the newest title last.
        settings: of training; its seed also draws the head and, for "random-bert", the backbone.
        samples: "last" trains on each user's last transition, one sample per user as in 000 §5.2;
            "prefixes" on every one.
        max_tokens: of a history's text; the oldest titles are cut off.
        repeats: whether an item that the user had before can be a target. True as printed; where repeats
            are not evaluated (`recsys.metrics.ranking.evaluate` masks them), False is the fair choice.
        judging: `judged_users`, see `NextItemRecommender`.

    Raises:
        ValueError: another value of `samples`. By `fit`: not one text per item; max_tokens out of range.
    """

    def __init__(
        self,
        texts: Sequence[str],
        backbone: str = "minilm",
        settings: TrainingSettings = PRINTED,
        samples: Literal["last", "prefixes"] = "last",
        max_tokens: int = 128,
        layers: int | None = None,
        repeats: bool = True,
        **judging,
    ):
        super().__init__(settings, **judging)
        if samples not in ("last", "prefixes"):
            raise ValueError(f"samples must be 'last' or 'prefixes', not {samples!r}")
        self.texts, self.repeats = list(texts), repeats
        self.load = {"name": backbone, "layers": layers, "seed": settings.seed}
        self.most_per_user = 1 if samples == "last" else None
        self.max_tokens = max_tokens

    def build(self, n_items: int) -> SequenceClassifier:
        """The untrained network.

        Raises:
            ValueError: not one text per item.
        """
        if len(self.texts) != n_items:
            raise ValueError(f"texts must hold one text for each of {n_items} items, got {len(self.texts)}")
        return SequenceClassifier(load_backbone(**self.load), n_items)

    def samples(self, known: Histories) -> TextPrefixSamples:
        """One per user, or one per prefix; a user with one event has none."""
        prefixes = PrefixSamples(known, MAX_ITEMS, repeats=self.repeats, most_per_user=self.most_per_user)
        starts = prefixes.ends - prefixes.lengths
        texts = self._texts(known.items[a:b] for a, b in zip(starts, prefixes.ends, strict=True))
        backbone = self.network.backbone
        return TextPrefixSamples(prefixes, tokenise(backbone, texts, self.max_tokens, **self._kept()))

    def loss(self, network: SequenceClassifier, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        """Cross-entropy over the M classes in nats, summed over the batch, and the batch's size."""
        logits = network(batch["input_ids"], batch["attention_mask"]).float()
        return cross_entropy(logits, batch["target"], reduction="sum"), len(logits)

    def user_vectors(self, users: np.ndarray) -> Tensor:
        """[B] user codes -> [B, D + 1] float32: the pooled vector, and a 1 for the bias."""
        pooled = embed_texts(
            self.network.backbone,
            self._texts(self.known.of(user)[-MAX_ITEMS:] for user in users),
            max_tokens=self.max_tokens,
            precision="bf16" if self.settings.mixed_precision == "bf16" else "fp32",
            normalise=False,
            **self._kept(),
        )
        return torch.from_numpy(np.hstack([pooled, np.ones((len(users), 1), dtype=np.float32)]))

    def _store_item_vectors(self) -> None:
        super()._store_item_vectors()
        self.items = self.items.cpu()  # embed_texts gives its vectors on the CPU, wherever the backbone is

    def _texts(self, pasts) -> list[str]:
        order = "oldest_first" if self.network.backbone.kind == "decoder" else "newest_first"
        return history_texts(pasts, self.texts, order, MAX_ITEMS)

    def _kept(self) -> dict[str, str]:
        # a decoder's last token is the only one that attends to the whole text
        return {"keep": "end" if self.network.backbone.kind == "decoder" else "start"}


def report(
    model: Scorer, split, part: Literal["validation", "test"] = "test", batch: int = 512
) -> tuple[dict[str, float], pd.DataFrame]:
    """The classification report at the end of 000 §5.2 and 004 §5.2, corrected: one label per user.

    The true label of a user is the first item of `part`; the predicted one is the item of the highest score
    (the lowest code among equals). Items that the user had before are not masked, as printed.

    Args:
        model: for the test part give it train and validation by `with_history` first.
        split: see `recsys.data.splits.Split`.
        part: which part holds the true items; users without an event there are left out.
        batch: users scored at once.

    Returns:
        users (their number), accuracy, macro and weighted precision, recall and f1, all in [0, 1];
        commonest, the accuracy of always predicting the most frequent true item; said, the number of
        distinct predicted items. And a table by item code, of the items that are true or predicted for
        some user: precision, recall, f1-score (0 where undefined), support. The macro averages are over the
        rows of this table, as in the printed call.

    Raises:
        ValueError: another part; no event in it.
    """
    if part not in ("validation", "test"):
        raise ValueError(f"part must be 'validation' or 'test', not {part!r}")
    events = getattr(split, part)
    if events.empty:
        raise ValueError(f"the {part} part holds no events: nothing to report on")
    by = ["user"] + [column for column in ("time", "order") if column in events]
    first = events.sort_values(by, kind="stable").drop_duplicates("user")
    users, true = first["user"].to_numpy(), first["item"].to_numpy()
    said = np.concatenate(
        [model.score(users[i : i + batch]).argmax(axis=1) for i in range(0, len(users), batch)]
    )
    lines = classification_report(true, said, output_dict=True, zero_division=0)
    numbers = {"users": len(users), "accuracy": float(np.mean(true == said))}
    for average in ("macro", "weighted"):
        for name in ("precision", "recall", "f1-score"):
            numbers[f"{average}_{name.split('-')[0]}"] = float(lines[f"{average} avg"][name])
    numbers["commonest"] = float(first["item"].value_counts(normalize=True).max())
    numbers["said"] = len(np.unique(said))
    table = pd.DataFrame({int(k): row for k, row in lines.items() if k not in SUMMARIES}).T
    return numbers, table.rename_axis("item").astype({"support": int})


def _make(data: NextItemData, settings: ModelSettings) -> PrintedClassifier:
    # the same computation as printed in a third of the time: no padding to 128, bf16 products
    faster = replace(PRINTED, mixed_precision="bf16", length_buckets=True)
    return PrintedClassifier(
        data.required_titles(), settings.backbone, repeats=False, **settings.arguments(faster)
    )


ENTRY = ModelEntry(_make, trained=True, takes=(*TRAINING, "backbone", "layers"))
