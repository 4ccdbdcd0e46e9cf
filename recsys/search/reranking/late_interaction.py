"""Late interaction (延迟交互): a score from the vectors of all tokens instead of one vector of each text.

MaxSim: every token of the query takes its most similar token of the title (Khattab & Zaharia 2020,
arXiv:2004.12832, §3.2). They sum these cosines and train the encoder for it; here they are averaged, which is
the same order within a query, and the encoder is whatever is given. Titles are still encoded beforehand, but
each of them leaves as many vectors as it has tokens.

n: texts. t: tokens of all n texts. q: tokens of a query. D: width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from recsys.encoders.backbone import OWN, Backbone
from recsys.encoders.length_batches import length_batches
from recsys.encoders.tokens import tokenise
from recsys.search.errors import SearchError

TOKEN_BUDGET = 8192  # tokens of a padded batch


@dataclass(frozen=True)
class TokenVectors:
    """Vectors of the tokens of n texts, each of which has at least one.

    vectors: [t, D] float32, unit-length rows, all texts' one after the other.
    offsets: [n + 1] int64; text i has the rows offsets[i] to offsets[i + 1] − 1.
    """

    vectors: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, indices: Sequence[int] | np.ndarray) -> TokenVectors:
        """Some of the texts, in the order asked for (a copy)."""
        spans = [(self.offsets[i], self.offsets[i + 1]) for i in indices]
        rows = [self.vectors[start:stop] for start, stop in spans]
        lengths = [stop - start for start, stop in spans]
        empty = np.empty((0, self.vectors.shape[1]), np.float32)
        return TokenVectors(np.concatenate([empty, *rows]), np.r_[0, np.cumsum(lengths, dtype=np.int64)])


def embed_tokens(backbone: Backbone, texts: Sequence[str], max_tokens: int = 128) -> TokenVectors:
    """Last hidden states of all tokens of n texts, special tokens included, scaled to length 1.

    Matrix products are in bfloat16, as those of `recsys.encoders.embed.embed_texts` by default.

    Args:
        backbone: an encoder, in eval mode as it was loaded.
        max_tokens: longer texts are cut, see `recsys.encoders.tokens.tokenise`.

    Raises:
        SearchError: a backbone without a vector for each token, or one that reads from left to right, whose
            first tokens know nothing of the rest. ValueError: as `tokenise`.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> tokens = embed_tokens(load_backbone("random-bert"), ["red shoe", "blue"])
        >>> len(tokens), tokens.offsets.tolist()
        (2, [0, 4, 7])
    """
    if backbone.pooling == OWN or backbone.kind != "encoder":
        raise SearchError(f"{backbone.name} has no vector of each token that knows the whole text")
    tokens = tokenise(backbone, texts, max_tokens=max_tokens)
    vectors = np.empty((int(tokens.offsets[-1]), backbone.width), dtype=np.float32)
    device = next(backbone.parameters()).device
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
        for batch in length_batches(tokens.lengths, token_budget=TOKEN_BUDGET):
            ids, mask = (x.to(device) for x in tokens.take(batch))
            hidden = backbone.model(input_ids=ids, attention_mask=mask).last_hidden_state
            real = normalize(hidden.float(), dim=-1)[mask.bool()]  # row after row, without the padding
            places = [np.arange(tokens.offsets[i], tokens.offsets[i + 1]) for i in batch]
            vectors[np.concatenate(places)] = real.cpu().numpy()
    return TokenVectors(vectors, tokens.offsets)


def max_sim(query: TokenVectors, titles: TokenVectors) -> np.ndarray:
    """[n] float32 scores of n titles for one query, in [−1, 1]: the mean over the query's tokens of the
    highest cosine with a token of the title.

    Raises:
        SearchError: not exactly one query, or no title.

    Example:
        >>> query = TokenVectors(np.eye(2, dtype=np.float32), np.array([0, 2]))
        >>> titles = TokenVectors(np.eye(2, dtype=np.float32)[[0, 1, 1]], np.array([0, 2, 3]))
        >>> max_sim(query, titles).tolist()  # the first title has both tokens, the second one of them
        [1.0, 0.5]
    """
    if len(query) != 1 or not len(titles):
        raise SearchError(f"one query and some titles are needed, got {len(query)} and {len(titles)}")
    cosines = query.vectors @ titles.vectors.T  # [q, t]
    return np.maximum.reduceat(cosines, titles.offsets[:-1], axis=1).mean(axis=0)
