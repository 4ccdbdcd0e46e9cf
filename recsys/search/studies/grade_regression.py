"""How near can a model come to the grade itself, from query and title alone (Home Depot's own measure, RMSE)?

A bi-encoder is tuned to give the grade (`recsys.models.labelled`). It is asked for the validation part, which
it did not learn from, and there gradient-boosted trees learn to correct it by the words (stacking: Wolpert
1992). A grade is never outside the scale. The division is by query, with a salt; a product can be in two
parts under two queries, so that products that no training query had are told apart.

P: pairs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from recsys.encoders.backbone import load_backbone
from recsys.models.labelled.task import LabelledTask, Part
from recsys.models.labelled.text_classifier import SETTINGS, TextClassifier
from recsys.models.tuning_method import FULL
from recsys.search.bi_encoder import TITLE_TOKENS, pair_cosines
from recsys.search.errors import SearchError
from recsys.search.graded import Graded, load_graded
from recsys.search.reranking.pair_features import PairFeatures
from recsys.search.studies.study import Study, StudySettings, study

TRAINING = replace(SETTINGS, epochs=1, learning_rate=1e-4, head_learning_rate=1e-3)
TREES = {"max_iter": 300, "learning_rate": 0.04, "max_leaf_nodes": 15, "min_samples_leaf": 40}
TREES |= {"l2_regularization": 5.0, "early_stopping": False}


def grade_regression(settings: StudySettings) -> Study:
    """RMSE on test pairs: words alone, the tuned encoder alone, and both.

    Lists (queries): `regression:difference`, mean squared error of words alone minus that of both. Metrics:
    rmse, deviation (standard deviation of the same test grades), share_of_deviation (their ratio), and the
    ratio of seen and unseen products apart, each to its own rows' deviation.

    Raises:
        SearchError: the data set has no part to learn from.
    """
    data = load_graded(settings.dataset, settings.fold, settings.salt)
    if not len(data.parts["train"]) or not len(data.parts["validation"]):
        raise SearchError(f"{data.name} has no part to learn from: take another data set")
    features = word_features(data, settings.backbone, settings.seed)
    tuned = tuned_grades(data, settings)
    rows, grade = data.parts, data.table["grade"].to_numpy(float)
    said = {"mean grade": np.full(len(rows["test"]), grade[rows["train"]].mean())}
    said["tuned encoder"] = tuned[rows["test"]]
    for name, part, columns in (
        ("words and cosine", "train", features),
        ("both", "validation", features.assign(tuned=tuned)),
    ):
        trees = HistGradientBoostingRegressor(**TREES, random_state=settings.seed)
        trees.fit(columns.iloc[rows[part]], grade[rows[part]])
        said[name] = trees.predict(columns.iloc[rows["test"]])
    low, high = grade[rows["train"]].min(), grade[rows["train"]].max()
    truth, table = grade[rows["test"]], data.part("test")
    errors = {name: (values.clip(low, high) - truth) ** 2 for name, values in said.items()}
    seen = table["product"].isin(data.part("train")["product"]).to_numpy() if "product" in table else None
    shown = pd.DataFrame([{"model": name} | shares(error, truth, seen) for name, error in errors.items()])
    gain = pd.Series(errors["words and cosine"] - errors["both"]).groupby(table["list"].to_numpy()).mean()
    own = shown.set_index("model").loc["both"]
    return study(pd.DataFrame({"regression:difference": gain}), shown, **own.dropna().to_dict())


def word_features(data: Graded, backbone: str, seed: int) -> pd.DataFrame:
    """[P, F] of every pair: its words' features and the untuned encoder's cosine."""
    queries, titles = data.table["query"].tolist(), data.table["title"].tolist()
    found = PairFeatures(titles).of(queries, titles)
    return found.assign(cosine=pair_cosines(load_backbone(backbone, seed=seed), queries, titles))


def tuned_grades(data: Graded, settings: StudySettings) -> np.ndarray:
    """[P] grades of validation and test pairs by a bi-encoder tuned on the train part; NaN elsewhere."""
    parts = {name: _part(data, name) for name in ("train", "validation", "test")}
    task = LabelledTask(data.name, [], TITLE_TOKENS, **parts)
    how = replace(TRAINING, seed=settings.seed, max_steps=settings.max_steps or None)
    model = TextClassifier(task, FULL, settings.backbone, settings=how).fit()
    found = np.full(len(data.table), np.nan)
    for name in ("validation", "test"):
        found[data.parts[name]] = model.outputs(parts[name])[:, 0]
    return found


def shares(error: np.ndarray, truth: np.ndarray, seen: np.ndarray | None) -> dict[str, float]:
    """RMSE, deviation, their ratio; the ratio of rows whose product the train part has, and of the rest."""
    found = {"rmse": float(np.sqrt(error.mean())), "deviation": float(truth.std())}
    found["share_of_deviation"] = found["rmse"] / found["deviation"]
    for name, rows in (("seen", seen), ("unseen", ~seen)) if seen is not None else ():
        own = np.sqrt(error[rows].mean()) / truth[rows].std() if rows.sum() > 1 else np.nan
        found |= {f"share_{name}": float(own), f"pairs_{name}": float(rows.sum())}
    return found


def _part(data: Graded, name: str) -> Part:
    own = data.part(name)
    labels, lists = own["grade"].to_numpy(np.float64), own["list"].to_numpy()
    return Part(own["query"].tolist(), labels, own["title"].tolist(), lists)
