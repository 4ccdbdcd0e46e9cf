"""A sequence model over item vectors made of titles and ids: the strongest single recommender of the kit.

x_u = Transformer over the vectors of u's items, w_i = id embedding + linear map of the title's vector from a
pretrained language model, cross-entropy over the whole catalogue, one sample per prefix of a history. The
Transformer mixes attention with a low-pass filter (BSARec, Shin et al. 2024, arXiv:2312.10325). With
`ids=False` no parameter belongs to an item: the model is *text-only*.

In 000 §4.2 x_u is a given feature vector and w_i a free parameter; here both are computed from item texts and
ids, so that a new item has a vector on its first day.

B: users in a batch. M: items. d: width. D: width of the text vectors.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recsys.data.histories import Histories
from recsys.encoders.item_sequence import ItemSequenceEncoder
from recsys.encoders.item_vectors import ItemVectors, centred
from recsys.encoders.sequence_network import SequenceNetwork
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.training.hyperparameter_search.spaces import Choice, Range, Real
from recsys.training.next_item import NextItemRecommender, catalogue_cross_entropy
from recsys.training.prefixes import PrefixSamples
from recsys.training.settings import TrainingSettings

# Chosen on Beauty's validation part, one seed each: width 128 was better than 64; with it dropout .4 better
# than .5 at every epoch and as good as .3 from the sixth on; constant and cosine schedules were worse.
SETTINGS = TrainingSettings(
    epochs=16,
    learning_rate=1e-3,
    optimizer="adam",
    schedule="cosine",
    warmup_share=0.03,
    batch_size=512,
    clip_norm=None,
    mixed_precision="bf16",
)

RANGES: dict[str, Range] = {
    "learning_rate": Real(2e-4, 1e-2, log=True),
    "batch_size": Choice((128, 256, 512, 1024)),
    # Adam's L2 penalty: its default is 0, which a logarithmic scale cannot contain
    "weight_decay": Choice((0.0, 1e-6, 1e-5, 1e-4, 1e-3)),
    "drop": Real(0.1, 0.7),
    "width": Choice((64, 128)),
}


class TitleSequence(NextItemRecommender):
    """A next-item recommender on titles and ids; the model is described in the module.

    Args:
        text: [M, D] text vectors of the items from a pretrained model, or None: ids only.
        ids: learn an embedding per item.
        settings: of training.
        width, layers, heads, drop: of the Transformer.
        max_items: how many of the newest items of a history are read.
        low_pass: weight of the filter branch, in [0, 1).
        text_drop: share of the text vectors' entries dropped in training, in [0, 1).
        most_per_user: how many of the newest training samples of each user are used; None: all.
    """

    def __init__(
        self,
        text: np.ndarray | None,
        ids: bool = True,
        settings: TrainingSettings = SETTINGS,
        width: int = 128,
        layers: int = 2,
        heads: int = 2,
        drop: float = 0.4,
        max_items: int = 50,
        low_pass: float = 0.7,
        text_drop: float = 0.0,
        most_per_user: int | None = None,
        **judging,
    ):
        super().__init__(settings, **judging)
        self.text = None if text is None else centred(torch.from_numpy(text).float())
        self.ids, self.text_drop, self.most_per_user = ids, text_drop, most_per_user
        self.shape = {"width": width, "layers": layers, "heads": heads, "drop": drop, "max_items": max_items}
        self.shape["low_pass"] = low_pass

    def build(self, n_items: int) -> nn.Module:
        items = ItemVectors(n_items, self.shape["width"], self.text, self.ids, self.text_drop)
        return SequenceNetwork(items, ItemSequenceEncoder(**self.shape))

    def samples(self, known: Histories) -> PrefixSamples:
        return PrefixSamples(known, self.shape["max_items"], most_per_user=self.most_per_user)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        states, vectors = network(batch["items"], batch["lengths"])
        return catalogue_cross_entropy(states, vectors, batch["target"])

    def user_vectors(self, users: np.ndarray) -> Tensor:
        items, lengths = self.known.newest(users, self.shape["max_items"])
        return self.network.read(items, lengths, self.items)


def _entry(titles: bool, ids: bool) -> ModelEntry:
    def make(data: NextItemData, settings: ModelSettings) -> TitleSequence:
        text = data.text_vectors(settings.backbone) if titles else None
        return TitleSequence(text, ids=ids, **settings.arguments(SETTINGS))

    takes = (*TRAINING, "most_per_user", *(["backbone"] if titles else []))
    return ModelEntry(make, trained=True, takes=takes, ranges=RANGES)


IDS = _entry(titles=False, ids=True)
TITLES = _entry(titles=True, ids=False)
TITLES_AND_IDS = _entry(titles=True, ids=True)
