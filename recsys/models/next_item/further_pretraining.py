"""Further pre-training: continues a language model's pre-training, without labels, on the shop's own texts.

000 §9 asks what a domain's own texts add. Two ways, both in place on a `Backbone`:

* "masked": masked-token prediction (Devlin et al. 2019, arXiv:1810.04805, §3.1), continued on the domain's
  texts as in Gururangan et al. 2020 (arXiv:2004.10964, task-adaptive pre-training). Of the tokens that are
  not special 15 % are chosen; of these 80 % are replaced by [MASK], 10 % by a random token, 10 % stay. The
  head is BERT's: dense, GELU, norm, tied word embeddings, and a bias. A backbone has no such head (MiniLM is
  packaged without it): it is initialised with its dense layer as the identity, trained at a higher rate and
  dropped afterwards. Encoders only: a causal model cannot attend to the tokens after a mask.
* "contrastive": unsupervised SimCSE (Gao, Yao & Chen 2021, arXiv:2104.08821, §3): each text is encoded twice
  with different dropout masks, and each vector has to identify the other one in its batch
  (`recsys.losses.contrastive.in_batch_softmax`, which says what that means for `accumulation`).

Use only texts that training may see. Titles of the catalogue are known before any purchase; texts made of
events (histories, queries, reviews) must be from the training part, and texts of items that enter the
catalogue in the test period are a leak as well.

B: texts of a batch. T: tokens. D: width. V: vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from recsys.encoders.backbone import Backbone
from recsys.encoders.tokens import Tokens, tokenise
from recsys.losses.contrastive import SCALE, in_batch_softmax
from recsys.training.loop import train
from recsys.training.prefixes import IGNORED
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

How = Literal["masked", "contrastive"]
MASKED_SHARE, MASK_TOKEN_SHARE, RANDOM_TOKEN_SHARE = 0.15, 0.8, 0.1  # the rest of the masked stays
TEXT_TOKENS = 64  # titles; longer texts are cut

MASKED = TrainingSettings(
    epochs=1,
    learning_rate=5e-5,
    head_learning_rate=1e-3,
    weight_decay=0.01,
    token_budget=4096,
    mixed_precision="bf16",
)
CONTRASTIVE = TrainingSettings(epochs=1, learning_rate=2e-5, token_budget=4096, mixed_precision="bf16")
DEFAULTS: dict[str, TrainingSettings] = {"masked": MASKED, "contrastive": CONTRASTIVE}


def further_pretrain(
    backbone: Backbone,
    texts: Sequence[str],
    how: How,
    settings: TrainingSettings | None = None,
    *,
    max_tokens: int = TEXT_TOKENS,
    folder: Path | str | None = None,
    progress: bool = False,
) -> TrainingResult:
    """Train a backbone on texts, in place; returns the training curve and the network with its head.

    Frozen parameters stay frozen. Texts with equal tokens count once, because two of them in one batch could
    not be told apart. Texts of special and unknown tokens only are left out.

    Args:
        backbone: in eval mode afterwards, on the device of training.
        texts: which training may see (see the module).
        how: "masked" or "contrastive".
        settings: of training; None: `MASKED` or `CONTRASTIVE`. "contrastive" needs twice the memory of its
            token budget, because every text is encoded twice; a batch of one text has no negatives.
        max_tokens: longer texts are cut at their end.
        folder: for checkpoints, see `recsys.training.loop.train`.
        progress: draw a bar.

    Raises:
        ValueError: another `how`; fewer than two different texts; a backbone without trainable parameters;
            "masked" with a decoder, or a tokenizer without a mask token; "contrastive" with a backbone
            without dropout, whose two vectors of a text would be equal. See `tokenise` and `train` too.
    """
    if how not in get_args(How):
        raise ValueError(f"how must be 'masked' or 'contrastive', not {how!r}")
    if not any(p.requires_grad for p in backbone.parameters()):
        raise ValueError(f"no parameter of {backbone.name} is trainable: call set_trainable before")
    settings = DEFAULTS[how] if settings is None else settings
    _check_fit(backbone, how)
    samples = (MaskedTexts if how == "masked" else DistinctTexts)(backbone, texts, max_tokens)
    if len(samples) < 2:
        raise ValueError(f"texts must hold two different ones at least, got {len(samples)} that can be read")
    network = (MaskedNetwork if how == "masked" else ContrastiveNetwork)(backbone)
    return train(network, samples, _loss, settings, folder=folder, progress=progress)


class DistinctTexts:
    """Samples: the distinct texts among those given that have at least one ordinary token.

    Args:
        backbone: whose tokenizer reads them.
        texts: strings.
        max_tokens: see `tokenise`.
    """

    def __init__(self, backbone: Backbone, texts: Sequence[str], max_tokens: int = TEXT_TOKENS):
        self.tokens: Tokens = tokenise(backbone, texts, max_tokens=min(max_tokens, backbone.max_tokens))
        self.special = torch.tensor(backbone.tokenizer.all_special_ids)
        first: dict[bytes, int] = {}
        ordinary = ~np.isin(self.tokens.ids, self.special.numpy())
        for row, (start, stop) in enumerate(zip(self.tokens.offsets, self.tokens.offsets[1:], strict=False)):
            if ordinary[start:stop].any():
                first.setdefault(self.tokens.ids[start:stop].tobytes(), row)
        self.rows = np.fromiter(first.values(), dtype=np.int64, count=len(first))
        self.lengths = self.tokens.lengths[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """input_ids, attention_mask [B, T], int64."""
        input_ids, attention_mask = self.tokens.take(self.rows[indices])
        return {"input_ids": input_ids, "attention_mask": attention_mask}


class MaskedTexts(DistinctTexts):
    """Samples of masked-token prediction; the masks are drawn anew at every `collate`.

    Raises:
        ValueError: the tokenizer has no mask token.
    """

    def __init__(self, backbone: Backbone, texts: Sequence[str], max_tokens: int = TEXT_TOKENS):
        super().__init__(backbone, texts, max_tokens)
        self.mask_id = backbone.tokenizer.mask_token_id
        vocabulary = min(len(backbone.tokenizer), backbone.model.get_input_embeddings().num_embeddings)
        ids = torch.arange(vocabulary)
        self.ordinary = ids[~torch.isin(ids, self.special)]  # what a random token is drawn from

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """input_ids with masks, attention_mask, labels (original token where masked, else IGNORED), [B, T].

        At least one token of a batch is masked, because 15 % of a few tokens may be none.
        """
        batch = super().collate(indices)
        ids = batch["input_ids"]
        maskable = batch["attention_mask"].bool() & ~torch.isin(ids, self.special)
        drawn = torch.rand(ids.shape).masked_fill(~maskable, 2.0)
        # the token with the smallest draw, which a larger share would have masked first
        chosen = drawn <= torch.clamp(drawn.min(), min=MASKED_SHARE)
        fate, other = torch.rand(ids.shape), self.ordinary[torch.randint(len(self.ordinary), ids.shape)]
        labels = ids.masked_fill(~chosen, IGNORED)
        replaced = chosen & (fate < MASK_TOKEN_SHARE + RANDOM_TOKEN_SHARE)
        seen = torch.where(replaced, other, ids).masked_fill(chosen & (fate < MASK_TOKEN_SHARE), self.mask_id)
        return batch | {"input_ids": seen, "labels": labels}


class MaskedNetwork(nn.Module):
    """A backbone with BERT's masked-token head, tied to the backbone's word embeddings."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        rows, width = backbone.model.get_input_embeddings().weight.shape
        self.transform = nn.Sequential(nn.Linear(backbone.width, width), nn.GELU(), nn.LayerNorm(width))
        nn.init.eye_(self.transform[0].weight)
        nn.init.zeros_(self.transform[0].bias)
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        """[B, T] each -> cross-entropy in nats summed over the masked tokens, and their number."""
        output = self.backbone.model(input_ids=input_ids, attention_mask=attention_mask)
        chosen = labels != IGNORED
        states = self.transform(output.last_hidden_state[chosen])
        logits = linear(states, self.backbone.model.get_input_embeddings().weight, self.bias)
        return cross_entropy(logits.float(), labels[chosen], reduction="sum"), len(states)


class ContrastiveNetwork(nn.Module):
    """A backbone that encodes each text twice, with two dropout masks (SimCSE)."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, int]:
        """[B, T] each -> `in_batch_softmax` of the two sets of vectors, and B."""
        first, second = self.backbone(input_ids.repeat(2, 1), attention_mask.repeat(2, 1)).chunk(2)
        return in_batch_softmax(first, second, SCALE), len(first)


def _loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    return network(**batch)


def _check_fit(backbone: Backbone, how: str) -> None:
    if how == "masked":
        if backbone.kind != "encoder":
            raise ValueError(
                f"{backbone.name} is a {backbone.kind} and reads from left to right, so it cannot predict "
                "masked tokens: use how='contrastive', or an encoder (minilm, random-bert)"
            )
        if backbone.tokenizer.mask_token_id is None:
            raise ValueError(f"the tokenizer of {backbone.name} has no mask token: use how='contrastive'")
    elif not any(isinstance(module, nn.Dropout) and module.p > 0 for module in backbone.modules()):
        raise ValueError(
            f"{backbone.name} has no dropout, so a text read twice gives the same vector twice and there is "
            "nothing to learn: use how='masked'"
        )
