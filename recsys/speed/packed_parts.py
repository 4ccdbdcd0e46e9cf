"""Names of the tensors that the packed engine reads; a model with other tensors is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable

from recsys.speed.variant import NotForThisModel

BEHIND_ATTENTION = {"attention": "attention.output.dense", "up": "intermediate.dense", "down": "output.dense"}
# tensor names of a linear map, and of one of low rank, which is an nn.Sequential of two
THIN = {"first": "0.weight", "weight": "1.weight", "bias": "1.bias"}
BOTH = ("weight", "bias")
EMBEDDINGS = {f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")}
EMBEDDINGS |= {f"embeddings.LayerNorm.{kind}" for kind in BOTH}
PER_LAYER = {f"attention.self.{part}.{kind}" for part in ("query", "key", "value") for kind in BOTH}
PER_LAYER |= {f"{part}output.LayerNorm.{kind}" for part in ("attention.", "") for kind in BOTH}
MAPS = {f"{place}.{name}" for place in BEHIND_ATTENTION.values() for name in (*BOTH, *THIN.values())}
UNREAD = {"embeddings.position_ids", "embeddings.token_type_ids"}  # counters
UNREAD |= {f"pooler.dense.{kind}" for kind in BOTH}  # which no vector uses


def check_parts(names: Iterable[str], layers: int) -> None:
    """Check that a BERT has exactly the tensors that the packed engine reads.

    Args:
        names: of a state dict. layers: of the model.

    Raises:
        NotForThisModel: there are others (adapters, unmerged LoRA), or one is missing.
    """
    names = set(names)
    inner = re.compile(r"encoder\.layer\.\d+\.(.+)")

    def is_read(name: str) -> bool:
        found = inner.fullmatch(name)
        return found[1] in PER_LAYER | MAPS if found else name in EMBEDDINGS | UNREAD

    strange = sorted(name for name in names if not is_read(name))
    needed = EMBEDDINGS | {f"encoder.layer.{layer}.{name}" for layer in range(layers) for name in PER_LAYER}
    missing = sorted(needed - names)
    told = [f"it has {len(strange)} tensors that no BERT has, first {strange[0]}"] if strange else []
    told += [f"it lacks {missing[0]}"] if missing else []
    if told:
        raise NotForThisModel(
            f"packing computes plain BERTs only, and {' and '.join(told)}: merge or remove what was added"
        )
