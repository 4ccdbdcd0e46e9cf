"""A text recommender as in 000 §4.2: x_u = encoder(text of the history), w_i = one vector per item, softmax.

All parameters of a pretrained BERT- or GPT-type model (or some, or none) are fine-tuned on users' histories
to predict the next item. The history is one text, its newest title first. w_i is a linear map A of the
untuned encoder's vector t_i of the item's text; A is trained and shared by all items, so without ids the
model is *text-only*: no parameter belongs to a single item, and a new item can be scored by its title.

s_ui = g · x_u/|x_u| · (A t_i + e_i), with t_i of unit length, A starting as the identity, g starting at 20
and e_i (with ids) at zero: before the first step this ranks by the cosine of history and title.

Truncation. Of a history the titles of the newest `max_items` items are read, of their text the first
`max_tokens` tokens: with the newest title first, the oldest titles are cut off. With order "oldest_first" the
end of the text is kept.

Further pre-training (`recsys.models.next_item.further_pretraining`) may come first, on the titles of items in
training events (not of items that first appear later), and before the item vectors are computed.

B: users in a batch. T: tokens. M: items. D: width of the encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recsys.data.histories import Histories
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.item_text import history_texts
from recsys.encoders.item_vectors import ItemVectors
from recsys.encoders.tokens import CHARACTERS_PER_TOKEN, Tokens, tokenise
from recsys.models.next_item.further_pretraining import DEFAULTS, further_pretrain
from recsys.models.tuning_method import FULL, Tuning
from recsys.training.loop import OnStep
from recsys.training.next_item import NextItemRecommender, catalogue_cross_entropy
from recsys.training.prefixes import PrefixSamples
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

SCALE = 20.0  # initial inverse temperature g: unscaled cosines give a nearly uniform softmax
ITEM_TOKENS = 64  # of an item's own text; Beauty's longest titles have more

SETTINGS = TrainingSettings(
    epochs=1,
    learning_rate=5e-5,
    head_learning_rate=1e-3,
    schedule="linear",
    warmup_share=0.1,
    weight_decay=0.01,
    token_budget=2048,  # two micro-batches a step: a tenth faster than 4096 at once, which exceeds the cache
    accumulation=2,
    mixed_precision="bf16",
)


@dataclass(frozen=True)
class Reading:
    """How a history becomes a text.

    Attributes:
        order: which title comes first; for a decoder, whose last token attends to everything, take
            "oldest_first".
        max_items: how many of the newest items are read; items without a title are skipped.
        max_tokens: of the text.
    """

    order: Literal["newest_first", "oldest_first"] = "newest_first"
    max_items: int = 8
    max_tokens: int = 96

    @property
    def keep(self) -> Literal["start", "end"]:
        """The end of the text that truncation keeps: the one with the newest title."""
        return "start" if self.order == "newest_first" else "end"

    def texts(self, histories: Iterable[np.ndarray], titles: Sequence[str]) -> list[str]:
        """Histories (item codes, oldest first) as texts."""
        # no more characters than the tokenizer reads: a title of 100,000 characters must not be copied
        # into every prefix that contains it
        limit = CHARACTERS_PER_TOKEN * self.max_tokens
        short = [title[:limit] if self.keep == "start" else title[-limit:] for title in titles]
        newest = (codes[-self.max_items :] for codes in histories)
        return history_texts(newest, short, self.order, self.max_items)

    def tokens(self, backbone: Backbone, histories: Iterable[np.ndarray], titles: Sequence[str]) -> Tokens:
        """Histories (item codes, oldest first) as token ids."""
        texts = self.texts(histories, titles)
        return tokenise(backbone, texts, max_tokens=self.max_tokens, keep=self.keep)


class TextNetwork(nn.Module):
    """The network: `backbone` encodes histories, `items` gives w_i, `log_scale` is log g."""

    def __init__(self, backbone: Backbone, items: ItemVectors):
        super().__init__()
        self.backbone, self.items = backbone, items
        self.log_scale = nn.Parameter(torch.tensor(SCALE).log())
        nn.init.eye_(items.map.weight)
        nn.init.zeros_(items.map.bias)
        if items.ids is not None:
            nn.init.zeros_(items.ids.weight)

    def item_vectors(self) -> Tensor:
        """[M, D]."""
        return self.items()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T] token ids and mask -> x_u, [B, D], of length exp(log_scale)."""
        pooled = self.backbone(input_ids, attention_mask).float()
        return normalize(pooled, dim=1) * self.log_scale.exp()


class TextPrefixSamples:
    """`Samples`: prefixes of histories as texts, each with the next item as target."""

    def __init__(self, prefixes: PrefixSamples, tokens: Tokens):
        self.prefixes, self.tokens = prefixes, tokens
        self.lengths = tokens.lengths

    def __len__(self) -> int:
        return len(self.prefixes)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """input_ids, attention_mask [B, T], target [B]."""
        input_ids, attention_mask = self.tokens.take(indices)
        target = torch.from_numpy(self.prefixes.known.items[self.prefixes.ends[indices]])
        return {"input_ids": input_ids, "attention_mask": attention_mask, "target": target}


class TextRecommender(NextItemRecommender):
    """A next-item recommender that reads histories as text; the model is described in the module.

    Args:
        titles: M item texts; "" where nothing is known.
        backbone, layers, pretrained: see `recsys.encoders.backbone.load_backbone`; its random weights are
            drawn from the settings' seed.
        tuning: how the backbone is tuned (`recsys.models.tuning_method.tuning`).
        ids: add an id embedding e_i to each item's text vector.
        reading: how a history becomes a text.
        most_per_user: how many of the newest training samples of each user are used; None: every prefix.
        settings: of training; `learning_rate` is the backbone's, `head_learning_rate` that of A, g and e.
        item_vectors: [M, D] unit-length t_i; None: the backbone's own vectors of the titles. Given ones do
            not change, also where the backbone is pre-trained further.
        further: "masked" or "contrastive": pre-train the backbone on the training items' titles first;
            "none": do not.
        further_settings: of that training; None: its defaults, with the seed and precision of `settings`.

    Raises:
        ValueError: another value of `further`, a title that is no string. By `fit`: not one title per item;
            see `further_pretrain` too.

    Example:
        >>> log = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 1, 2], "order": [0, 1, 0, 1]})
        >>> model = TextRecommender(["kettle", "mug", "tea"], backbone="random-bert")
        >>> model.fit(log, n_users=2, n_items=3).score(np.array([0])).shape
        (1, 3)
    """

    def __init__(
        self,
        titles: Sequence[str],
        backbone: str = "minilm",
        layers: int | None = None,
        pretrained: bool = True,
        tuning: Tuning = FULL,
        ids: bool = False,
        reading: Reading = Reading(),
        most_per_user: int | None = None,
        settings: TrainingSettings = SETTINGS,
        item_vectors: np.ndarray | None = None,
        further: str = "none",
        further_settings: TrainingSettings | None = None,
        **judging,
    ):
        if further not in ("none", *DEFAULTS):
            raise ValueError(
                f"further must be one of 'none', {', '.join(map(repr, DEFAULTS))}, not {further!r}"
            )
        if not tuning.learns_backbone and settings.head_learning_rate is not None:
            # the head's rate is the only one
            settings = replace(settings, learning_rate=settings.head_learning_rate, head_learning_rate=None)
        super().__init__(settings, **judging)
        self.titles, self.reading = list(titles), reading
        for item, title in enumerate(self.titles):
            if not isinstance(title, str):
                raise ValueError(f"title {item} is {title!r}, not a string: use '' for a missing one")
        self.load = {"name": backbone, "layers": layers, "pretrained": pretrained, "seed": settings.seed}
        self.tuning, self.ids, self.most_per_user = tuning, ids, most_per_user
        self.start, self.folder = item_vectors, None
        self.further, self.further_settings = further, further_settings

    def fit(
        self,
        train_events: pd.DataFrame,
        n_users: int,
        n_items: int,
        split=None,
        folder: Path | str | None = None,
        progress: bool = False,
    ) -> TextRecommender:
        """As `NextItemRecommender.fit`. The result of further pre-training is `further_result` (or None); its
        checkpoints are in a subfolder of `folder`."""
        self.folder = None if folder is None else Path(folder)
        super().fit(train_events, n_users, n_items, split, self.folder, progress)
        self.tuning.finish(self.network.backbone)
        return self

    def build(self, n_items: int) -> nn.Module:
        if len(self.titles) != n_items:
            raise ValueError(f"titles must hold one text for each of {n_items} items, got {len(self.titles)}")
        backbone = load_backbone(**self.load)
        self.further_result = None if self.further == "none" else self._pretrain(backbone)
        start = self.start
        if start is None:
            start = embed_texts(backbone, self.titles, max_tokens=ITEM_TOKENS, precision=self._precision)
        return TextNetwork(backbone, ItemVectors(n_items, backbone.width, torch.from_numpy(start), self.ids))

    def samples(self, known: Histories) -> TextPrefixSamples:
        prefixes = PrefixSamples(known, self.reading.max_items, most_per_user=self.most_per_user)
        starts = prefixes.ends - prefixes.lengths
        pasts = (known.items[a:b] for a, b in zip(starts, prefixes.ends, strict=True))
        return TextPrefixSamples(prefixes, self.reading.tokens(self.network.backbone, pasts, self.titles))

    def prepare(self, samples: TextPrefixSamples) -> OnStep | None:
        backbone = self.network.backbone
        self.counts = self.tuning.apply(backbone, samples.tokens, self.settings.seed)
        return self.tuning.on_step(backbone, samples, self.settings)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        return self.tuning.loss(_likelihood)(network, batch)

    def user_vectors(self, users: np.ndarray) -> Tensor:
        vectors = embed_texts(
            self.network.backbone,
            self.reading.texts((self.known.of(user) for user in users), self.titles),
            max_tokens=self.reading.max_tokens,
            precision=self._precision,
            keep=self.reading.keep,
        )
        # embed_texts gives its vectors on the CPU, wherever the backbone is
        return torch.from_numpy(vectors).to(self.items.device) * self.network.log_scale.exp()

    def _pretrain(self, backbone: Backbone) -> TrainingResult:
        settings = self.further_settings
        if settings is None:
            own = {"seed": self.settings.seed, "mixed_precision": self.settings.mixed_precision}
            settings = replace(DEFAULTS[self.further], **own)
        folder = None if self.folder is None else self.folder / f"further_{self.further}"
        # an item without training events may have entered the shop during the test period
        known = [title for title, count in zip(self.titles, self.popularity, strict=True) if count]
        return further_pretrain(backbone, known, self.further, settings, folder=folder)

    def _task(self) -> str:
        return f"{super()._task()} {self.tuning}"

    @property
    def _precision(self) -> Literal["bf16", "fp32"]:
        return "bf16" if self.settings.mixed_precision == "bf16" else "fp32"


def _likelihood(network: TextNetwork, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    states = network(batch["input_ids"], batch["attention_mask"])
    return catalogue_cross_entropy(states, network.item_vectors(), batch["target"])
