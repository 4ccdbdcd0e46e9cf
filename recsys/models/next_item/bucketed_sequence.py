"""The sequence models of titles, batches read in buckets of similar length: the same model in less time.

Most histories are short and some are long, so a random batch is mostly padding: on Amazon Beauty a prefix has
8 items on average and the longest of a batch has 50. Here the encoder sorts the histories of a batch by
length, reads them in eight parts that are padded to their own longest, and restores the order. A history's
vector does not depend on its neighbours, so the sum of losses is the same; dropout draws differ, as with
another seed. On a GPU, where many small parts are slower than one large one, the batch stays whole.

`title_sequence` and `title_cosine` themselves stay as they are: committed records are of them.

B: histories. T: length of the longest. d: width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.encoders.item_sequence import ItemSequenceEncoder
from recsys.encoders.item_vectors import ItemVectors
from recsys.encoders.sequence_network import SequenceNetwork
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.models.next_item.title_cosine import TitleCosineSequence
from recsys.models.next_item.title_sequence import RANGES, SETTINGS, TitleSequence

PARTS = 8  # of a batch; sixteen took as long in training, four took longer
LEAST = 16  # histories of a part: smaller parts cost more in calls than they save in padding


class BucketedEncoder(ItemSequenceEncoder):
    """`ItemSequenceEncoder` that reads a batch in parts of similar length; the parameters are the same."""

    def forward(self, vectors: Tensor, lengths: Tensor, every_position: bool = False) -> Tensor:
        """As `ItemSequenceEncoder.forward`; in parts only on the CPU, and only for the newest states."""
        parts = min(PARTS, len(lengths) // LEAST)
        if every_position or parts < 2 or vectors.device.type != "cpu":
            return super().forward(vectors, lengths, every_position)
        order = torch.argsort(lengths, stable=True)
        states = [
            super(BucketedEncoder, self).forward(vectors[part, : int(lengths[part[-1]])], lengths[part])
            for part in order.chunk(parts)
        ]
        return torch.cat(states)[torch.argsort(order)]


class BucketedTitleSequence(TitleSequence):
    """`TitleSequence` with a `BucketedEncoder`; arguments, parameters and loss are the same."""

    def build(self, n_items: int) -> nn.Module:
        items = ItemVectors(n_items, self.shape["width"], self.text, self.ids, self.text_drop)
        return SequenceNetwork(items, BucketedEncoder(**self.shape))


class BucketedTitleCosine(TitleCosineSequence, BucketedTitleSequence):
    """`TitleCosineSequence` on a `BucketedTitleSequence`."""


def _entry(model: type[TitleSequence]) -> ModelEntry:
    def make(data: NextItemData, settings: ModelSettings) -> TitleSequence:
        return model(data.text_vectors(settings.backbone), **settings.arguments(SETTINGS))

    return ModelEntry(make, trained=True, takes=(*TRAINING, "most_per_user", "backbone"), ranges=RANGES)


SEQUENCE = _entry(BucketedTitleSequence)
COSINE = _entry(BucketedTitleCosine)
