"""A text recommender whose encoder is several LoRA runs merged: fusion of adapters at the cost of one model.

Each run tunes the same backbone with another seed; the adapters are merged into its weights
(`recsys.ensembling.one_model.adapter_merging`), and the small heads, which start alike, are averaged.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.adapter_files import save_adapter
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.adapter_merging import WAYS, merge_adapters
from recsys.ensembling.one_model.weight_averaging import average
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.models.next_item.text_models import PER_USER
from recsys.models.next_item.text_recommender import SETTINGS, TextRecommender
from recsys.models.tuning_method import Tuning


class MergedTextRecommender(TextRecommender):
    """See the module.

    Args:
        titles: as `TextRecommender`.
        adapters: runs that are merged, ≥ 2.
        way: of `recsys.ensembling.one_model.adapter_merging.WAYS`.
        rest: see `TextRecommender`; its tuning must be LoRA.

    Raises:
        EnsembleError: an argument out of range, another tuning than LoRA. By `fit`: see `merge_adapters`.
    """

    chooses = True  # each run keeps its best moment by validation

    def __init__(self, titles: Sequence[str], adapters: int = 2, way: str = "cat", **rest):
        super().__init__(titles, **({"tuning": Tuning("lora")} | rest))
        if adapters < 2 or way not in WAYS or self.tuning.method != "lora":
            raise EnsembleError(
                f"merging takes two LoRA adapters or more and a way of {', '.join(WAYS)}; got {adapters} of "
                f"{self.tuning.method}, {way!r}"
            )
        self.adapters, self.way = adapters, way

    def fit(
        self, train_events: pd.DataFrame, n_users: int, n_items: int, split=None, folder=None, progress=False
    ):
        """See `TextRecommender.fit`. A folder is refused: checkpoints of several runs would overwrite each
        other."""
        if folder is not None:
            raise EnsembleError("merged adapters keep no checkpoints: fit them without a folder")
        own, heads = self.settings, []
        with tempfile.TemporaryDirectory() as place:
            folders = [Path(place) / str(one) for one in range(self.adapters)]
            try:
                for one, adapter in enumerate(folders):
                    self.settings = replace(own, seed=own.seed * self.adapters + one)
                    super().fit(train_events, n_users, n_items, split, None, progress)
                    save_adapter(self.network.backbone, adapter)
                    heads.append(
                        {
                            name: tensor.detach().clone()
                            for name, tensor in self.network.state_dict().items()
                            if not name.startswith("backbone.")
                        }
                    )
            finally:
                self.settings = own
            merged = merge_adapters(load_backbone(**self.load), folders, way=self.way, seed=own.seed)
        self.network.backbone = merged.to(self.items.device)
        self.network.load_state_dict(average(heads), strict=False)
        self._store_item_vectors()
        return self


def _make(data: NextItemData, settings: ModelSettings) -> MergedTextRecommender:
    arguments = {"most_per_user": PER_USER, **settings.arguments(SETTINGS)}
    return MergedTextRecommender(data.required_titles(), backbone=settings.backbone, **arguments)


ENTRY = ModelEntry(_make, trained=True, takes=(*TRAINING, "most_per_user", "backbone"))
