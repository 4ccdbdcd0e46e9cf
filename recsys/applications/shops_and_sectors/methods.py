"""How a sector's candidates are ranked: popularity, a linear model, untuned words and meanings, an encoder.

Every method takes a task, the units that it may learn from and those that it scores, and gives [m, L]. Only
popularity and the linear model need no text. `further` is the encoder after masked-token training on the
sector's texts, none of which carries a label (Gururangan et al. 2020, arXiv:2004.10964). The texts of judged
units are among them, as they would be in a shop: a text is known before its label is.

n: units. m: scored units. L: candidates. D: width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recsys.applications.shops_and_sectors.sector_task import SectorTask
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.models.next_item.further_pretraining import MASKED, further_pretrain

NEIGHBOURS = 10
STRENGTH = {
    "words": 10.0,
    "vectors": 100.0,
    "inputs": 1.0,
}  # inverse of the penalty: of unit-length rows more
UNSEEN = -50.0  # log probability of a candidate that no learnt unit had
TEXT_TOKENS = 128
EPOCHS = 3  # over a sector's texts, of further pre-training


@dataclass
class Read:
    """The texts of a task as an encoder's unit-length vectors; general and further trained, each once."""

    task: SectorTask
    backbone: str = "minilm"
    max_steps: int = 0
    seed: int = 0

    def __post_init__(self):
        self._kept: dict[str, np.ndarray] = {}

    def vectors(self, which: str) -> np.ndarray:
        """[n, D] of "general" or "further"."""
        if which not in self._kept:
            network = load_backbone(self.backbone, seed=self.seed)
            if which == "further":
                self._train(network)
            self._kept[which] = embed_texts(network, self.task.texts, max_tokens=TEXT_TOKENS)
        return self._kept[which]

    def _train(self, network: Backbone) -> None:
        settings = replace(MASKED, seed=self.seed, epochs=EPOCHS, max_steps=self.max_steps or None)
        further_pretrain(network, list(self.task.corpus), "masked", settings)


def popularity(task: SectorTask, learn: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The same for all: how often a candidate was found among those to whom it was offered."""
    found, offered = task.gains[learn].sum(axis=0), task.offered[learn].sum(axis=0)
    return np.broadcast_to(found / np.maximum(offered, 1), (len(score), len(found)))


def linear(features, task: SectorTask, learn: np.ndarray, score: np.ndarray, strength: float) -> np.ndarray:
    """Multinomial logistic regression: [m, L] log probabilities; a unit counts once for each of its gains.

    Args:
        features: [n, F], dense or sparse.
    """
    unit, label = np.nonzero(task.gains[learn])
    weight = task.gains[learn][unit, label] / task.gains[learn].sum(axis=1)[unit]
    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    model.fit(features[learn][unit], label, sample_weight=weight)
    scores = np.full((len(score), len(task.candidates)), UNSEEN)
    scores[:, model.classes_] = np.clip(model.predict_log_proba(features[score]), UNSEEN, None)
    return scores


def nearest(features, task: SectorTask, learn: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The gains of the ten nearest learnt units, weighted by cosine: nothing is tuned.

    Args:
        features: [n, D] rows of length 1 (or 0), dense or sparse.
    """
    cosine = features[score] @ features[learn].T
    cosine = cosine.toarray() if sparse.issparse(cosine) else np.asarray(cosine)
    count = min(NEIGHBOURS, len(learn))
    near = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
    weight = np.clip(np.take_along_axis(cosine, near, axis=1), 0, None)
    return np.einsum("mk,mkl->ml", weight, task.gains[learn][near])


def words(task: SectorTask, learn: np.ndarray) -> sparse.csr_matrix:
    """[n, V] TF-IDF of words and pairs of words, unit-length rows; counted on the learnt units alone."""
    vectoriser = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, strip_accents="unicode")
    vectoriser.fit([task.texts[row] for row in learn])
    return vectoriser.transform(task.texts).tocsr()
