"""TF-IDF features of words and word pairs under a linear model: what a text encoder has to beat.

N: texts. C: outputs, one per class; 1 where the label is a grade.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

STRENGTHS = (1.0, 10.0, 100.0)  # inverse of the penalty, to choose from
LARGEST_VOCABULARY = 200_000


class TfidfLinear:
    """Logistic regression for classes, ridge regression for a grade, on TF-IDF features.

    For a pair of texts the features are the products of both TF-IDF weights of each word. With equal
    coefficients the output is the cosine of the two TF-IDF vectors.

    Args:
        strength: inverse of the L2 penalty, > 0.
        classes: C, or 0 for a grade.

    Example:
        >>> model = TfidfLinear(classes=2).fit(["lost card", "new loan", "my card"], np.array([0, 1, 0]))
        >>> model.outputs(["card"]).argmax(1).tolist()
        [0]
    """

    def __init__(self, strength: float = 10.0, classes: int = 0):
        self.words = TfidfVectorizer(
            # runs of letters and digits, and each Chinese character by itself: they have no blanks between
            token_pattern=r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+",
            ngram_range=(1, 2),
            sublinear_tf=True,
            max_features=LARGEST_VOCABULARY,
        )
        self.classes = classes
        self.linear = LogisticRegression(C=strength, max_iter=300) if classes else Ridge(alpha=1 / strength)

    def fit(
        self, texts: Sequence[str], labels: np.ndarray, pairs: Sequence[str] | None = None
    ) -> TfidfLinear:
        """Fit to N texts and labels, and return itself.

        labels: [N], class codes 0 … C − 1 (int) or grades (float). pairs: N second texts, or None.

        Raises:
            ValueError: no word in any text, or one class only.
        """
        self.words.fit([*texts, *(pairs or ())])
        self.linear.fit(self._features(texts, pairs), labels)
        return self

    def outputs(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """[N, C] log-probabilities, lowest for a class that training never saw; or [N, 1] grades."""
        features = self._features(texts, pairs)
        if not self.classes:
            return self.linear.predict(features)[:, None].astype(np.float32)
        found = np.full((len(texts), self.classes), -50.0, dtype=np.float32)
        found[:, self.linear.classes_] = np.maximum(self.linear.predict_log_proba(features), -49.0)
        return found

    def _features(self, texts: Sequence[str], pairs: Sequence[str] | None):
        """Sparse [N, words]."""
        first = self.words.transform(texts)
        if pairs is None:
            return first
        shared = first.multiply(self.words.transform(pairs)).tocsr()
        # their sum as one more feature, for words that training never saw in both texts
        return hstack([shared, csr_matrix(shared.sum(axis=1))]).tocsr()
