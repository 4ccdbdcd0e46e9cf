"""Words and pairs of words, weighted by their rarity, under a linear model: what an encoder has to beat.

N: texts. C: outputs, one per class; 1 where the label is a grade.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

STRENGTHS = (1.0, 10.0, 100.0)  # inverse of the penalty, to choose from
LARGEST_VOCABULARY = 200_000


class TfidfLinear:
    """Logistic regression of classes, ridge regression of a grade.

    Args:
        strength: inverse of the penalty, > 0.
        classes: C, or 0 for a grade.
    """

    def __init__(self, strength: float = 10.0, classes: int = 0):
        words = TfidfVectorizer(
            # runs of letters and digits, and each Chinese character by itself: they have no blanks between
            token_pattern=r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+",
            ngram_range=(1, 2),
            sublinear_tf=True,
            max_features=LARGEST_VOCABULARY,
        )
        linear = LogisticRegression(C=strength, max_iter=300) if classes else Ridge(alpha=1 / strength)
        self.classes, self.model = classes, make_pipeline(words, linear)

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> TfidfLinear:
        """labels: [N], class codes 0 … C − 1 (int) or grades (float). Returns itself.

        Raises:
            ValueError: no word in any text, or one class only.
        """
        self.model.fit(texts, labels)
        return self

    def outputs(self, texts: Sequence[str]) -> np.ndarray:
        """[N, C] log-probabilities, lowest for a class that training never saw; or [N, 1] grades."""
        if not self.classes:
            return self.model.predict(texts)[:, None].astype(np.float32)
        found = np.full((len(texts), self.classes), -50.0, dtype=np.float32)
        found[:, self.model[-1].classes_] = np.maximum(self.model.predict_log_proba(texts), -49.0)
        return found
