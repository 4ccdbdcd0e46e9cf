"""Product classification: gain by fusing modalities, loss by ablating one, robustness to missing ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np
import pandas as pd

from recsys.multimodal.classifier import FitSettings, FusedClassifier, fit_classifier
from recsys.multimodal.features import Features
from recsys.multimodal.knock_outs import Kind, knocked_out, only, partly_missing, shapley_values
from recsys.multimodal.tasks.encoded import encoded, without
from recsys.multimodal.tasks.outcome import Outcome, all_faults, class_metrics, class_positions, cost_metrics
from recsys.multimodal.tasks.rival import against_rival
from recsys.multimodal.tasks.subjects import Subjects

# the same settings are tried for every operator and set of modalities: an equal budget
TRIED = (
    {"strength": 0.1},
    {"strength": 0.02, "drop": 0.5, "decay": 0.2},
    {"strength": 0.5, "rate": 5e-4},
)
MISSING_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def classify(
    subjects: Subjects,
    label: str,
    modalities: tuple[str, ...],
    settings: FitSettings,
    knock_out: str = "",
    missing: str = "picture",
    trials: int = len(TRIED),
    side: int = 128,
    rival: bool = False,
) -> Outcome:
    """Train on one set of modalities and evaluate on the test part.

    Args:
        subjects: the labelled items (`recsys.multimodal.tasks.subjects.load_subjects`).
        label: the column of `subjects` to predict.
        modalities: names of the modality registry.
        settings: of the operator.
        knock_out: "modality:kind", done to the test rows (`recsys.multimodal.knock_outs.knocked_out`).
        missing: the modality that the curve of missing items hides.
        trials: how many of TRIED are tried. side: pixels that pictures are encoded at.
        rival: also train without `missing` and hold what is left by knock-outs against that model.

    Returns:
        metrics: hr@1 (the accuracy), macro_recall, hr@5, mrr; majority (of the commonest class); hr@1_train
        classes; missing_<share> (accuracy with that share of `missing` hidden at test); Shapley shares;
        files_decoded, 0 from a warm store. The table "lists" has the rival's differences.
    """
    codes, names, parts = subjects.coded(label)
    options = {name: {"side": side} for name in ("picture", "picture_layers")}
    options |= {"picture_scratch": {"label": label, "seed": settings.seed}}
    features = encoded(subjects.table, modalities, parts["train"], options)
    fitted = fit_classifier(features, codes, parts["train"], parts["validation"], settings, TRIED[:trials])
    test = parts["test"]
    shown = without(features, knock_out, settings.seed)
    positions = class_positions(fitted.scores(shown, test), codes[test], test)
    metrics = class_metrics(positions)
    commonest = np.bincount(codes[parts["train"]]).argmax()
    metrics |= {"majority": float((codes[test] == commonest).mean()), "classes": float(len(names))}
    metrics |= {"fit_seconds": fitted.seconds, "parameters": float(fitted.parameters)}
    metrics |= cost_metrics(features)
    tables = {"trials": fitted.trials}
    if len(modalities) > 1:
        hidden = missing if missing in features else modalities[-1]
        curve = missing_curve(fitted, features, codes, test, hidden)
        metrics |= {f"missing_{int(100 * s)}": value for s, value in curve.items()}
        tables["damage"] = damage(fitted, features, codes, test, hidden, settings.seed)
        metrics |= {f"damage_{kind}": value for kind, value in tables["damage"].itertuples(index=False)}
        tables["changed"] = what_changed(fitted, features, test, names, subjects.table[label], hidden)
        tables["shapley"] = who_decided(fitted, features, codes, test, subjects.table[label])
        if rival:
            asked = (fitted, features, codes, parts, hidden, settings, TRIED[:trials])
            beside, tables["lists"] = against_rival(*asked)
            metrics |= beside
        metrics |= {f"shapley_{name}": float(tables["shapley"][name].mean()) for name in modalities}
    return Outcome(metrics, positions, tables, features, subjects.table, all_faults(features))


def missing_curve(
    fitted: FusedClassifier, features: Mapping[str, Features], codes: np.ndarray, test: np.ndarray, name: str
) -> dict[float, float]:
    """Share hidden → accuracy on the test rows, with growing shares of one modality hidden."""
    found = {}
    for share in MISSING_SHARES:
        hidden = {**features, name: partly_missing(features[name], share)}
        found[share] = accuracy(fitted, hidden, codes, test)
    return found


def damage(
    fitted: FusedClassifier,
    features: Mapping[str, Features],
    codes: np.ndarray,
    test: np.ndarray,
    name: str,
    seed: int,
) -> pd.DataFrame:
    """Accuracy after destroying one modality's content in the test rows: columns knock_out, accuracy."""
    rows = [("none", accuracy(fitted, features, codes, test))]
    for kind in get_args(Kind):
        changed = {**features, name: knocked_out(features[name], kind, seed, test)}
        rows.append((kind, accuracy(fitted, changed, codes, test)))
    return pd.DataFrame(rows, columns=["knock_out", "accuracy"])


def accuracy(
    fitted: FusedClassifier, features: Mapping[str, Features], codes: np.ndarray, rows: np.ndarray
) -> float:
    """Share of the rows classified correctly."""
    return float((fitted.scores(features, rows).argmax(axis=1) == codes[rows]).mean())


def what_changed(
    fitted: FusedClassifier,
    features: Mapping[str, Features],
    test: np.ndarray,
    names: list[str],
    labels: pd.Series,
    hidden: str,
) -> pd.DataFrame:
    """Test rows whose predicted class changes when a modality is hidden.

    Columns row, true, before (with it hidden), after (with it). Rows that the modality corrects come first.
    """
    rest = tuple(name for name in features if name != hidden)
    said = np.array(names, dtype=object)
    before = said[fitted.scores(only(features, rest), test).argmax(axis=1)]
    after = said[fitted.scores(features, test).argmax(axis=1)]
    true = labels.iloc[test].to_numpy()
    table = pd.DataFrame({"row": test, "true": true, "before": before, "after": after})
    table = table[table["before"] != table["after"]]
    right = (table["after"] == table["true"]).astype(int) - (table["before"] == table["true"]).astype(int)
    return table.iloc[np.argsort(-right.to_numpy(), kind="stable")].reset_index(drop=True)


def who_decided(
    fitted: FusedClassifier,
    features: Mapping[str, Features],
    codes: np.ndarray,
    test: np.ndarray,
    labels: pd.Series,
) -> pd.DataFrame:
    """Each modality's Shapley share of the true class's probability, for every test row.

    Columns: row, label, one per modality; a row sums to the probability with all modalities minus that with
    none. A model trained without missing modalities also reacts to the gap itself; train with modality
    dropout before interpreting the shares.
    """
    classes = fitted.operator.outputs
    known = test[codes[test] < classes]
    names = tuple(features)

    def probability(subset: tuple[str, ...]) -> np.ndarray:
        scores = fitted.scores(only(features, subset), known)
        return np.exp(scores[np.arange(len(known)), codes[known]])

    shares = shapley_values(names, probability)
    shares.insert(0, "row", known)
    shares.insert(1, "label", labels.iloc[known].to_numpy())
    return shares
