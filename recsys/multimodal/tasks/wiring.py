"""Sanity check on synthetic users: a taste that only pictures show is found with pictures, and only then.

Users are generated on the demo store's catalogue: each buys products of one category (which the text tells)
in one colour (which only the picture shows). A model of texts can find the category and must be at chance
within it; a model with pictures must also find the colour. Shuffled or disconnected pictures fail this check.

N: users. M: items.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.data import demo_store
from recsys.data.splits import Split
from recsys.data.tables import Dataset
from recsys.metrics.lists import top_lists
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.multimodal.classifier import FitSettings, fit_classifier
from recsys.multimodal.features import Features
from recsys.multimodal.item_tables import item_table
from recsys.multimodal.side_information import ContentNeighbours
from recsys.multimodal.tasks.encoded import encoded, without
from recsys.multimodal.tasks.outcome import Outcome, all_faults

HISTORY = 4  # purchases before the test purchase
TASTE_SHARE = 0.9  # probability that a purchase has the user's colour; otherwise any product of the category


def wiring_check(
    modalities: tuple[str, ...] = ("text", "picture"),
    shoppers: int = 400,
    seed: int = 0,
    size: str = "full",
    side: int = 64,
    knock_out: str = "",
) -> Outcome:
    """Rank the catalogue for the synthetic users by text alone and by all modalities.

    The picture vector is first mapped to colour probabilities (`colour_of_pictures`): frozen features of a
    network trained on photos contain colour among much else, and their cosine is mostly about shape.

    Args:
        modalities: names of the modality registry.
        shoppers: N. size: of the store. side: pixels that its pictures are scaled to.
        knock_out: "picture:shuffled", "picture:constant", ...: the result must fall to the level of text
        alone.

    Returns:
        metrics: hr@10 fused, hr@10_text, gain; colour_text: within the user's category, the share of products
        in the user's colour in the text-only lists; chance: that share for a random choice; colour_fused
        likewise.
    """
    store = demo_store.load(seed=seed, size=size)
    looks = demo_store.load_truth(seed=seed, size=size).appearance
    events, colour, category = planted(store, looks["colour"].to_numpy(), shoppers, seed)
    split = _split(store, events, shoppers)
    table = item_table(store, split.train, seed)
    features = encoded(table, modalities, np.arange(len(table)), {"picture": {"side": side}})
    features = without(features, knock_out, seed)
    if "picture" in features:
        said = colour_of_pictures(features["picture"], looks["colour"].to_numpy(), seed)
        features = {**features, "picture": said}
    found = {}
    for name, weights in {"text": {"text": 1.0}, "fused": dict.fromkeys(modalities, 1.0)}.items():
        model = ContentNeighbours(weights).fit(split.train, shoppers, features, store.n_items)
        found[name] = (model, evaluate(model, split, "test"))
    metrics = {}
    for name, (model, positions) in found.items():
        values, _ = ranking_metrics(positions, (10,))
        suffix = "" if name == "fused" else "_text"
        metrics[f"hr@10{suffix}"] = values["hr@10"]
        metrics[f"colour_{name}"] = _colour_share(
            model, split, looks["colour"].to_numpy(), colour, category, table
        )
    metrics["gain_in_points"] = 100 * (metrics["hr@10"] - metrics["hr@10_text"])
    metrics["chance"] = 1 / looks["colour"].nunique()
    tables = {"by_model": pd.DataFrame([metrics])}
    return Outcome(metrics, found["fused"][1], tables, features, table, all_faults(features))


def planted(store: Dataset, colours: np.ndarray, shoppers: int, seed: int):
    """Events of synthetic users with one category and one colour each, and both of each user.

    Returns:
        events: columns user, item, HISTORY + 1 rows per user, the last one for the test. colour, category:
        [N].
    """
    random = np.random.default_rng(seed)
    group = store.items["category"].str.split(" > ").str[0].to_numpy()
    rows, colour, category = [], [], []
    while len(colour) < shoppers:
        start = random.integers(store.n_items)
        inside = group == group[start]
        wanted = np.flatnonzero(inside & (colours == colours[start]))
        if len(wanted) <= HISTORY:
            continue
        chosen = random.permutation(wanted)[: HISTORY + 1]
        others = random.permutation(np.flatnonzero(inside))
        strays = random.random(HISTORY) > TASTE_SHARE
        chosen[:HISTORY] = np.where(strays, others[:HISTORY], chosen[:HISTORY])
        chosen = chosen if len(set(chosen)) == len(chosen) else random.permutation(wanted)[: HISTORY + 1]
        rows += [(len(colour), item) for item in chosen]
        colour.append(colours[start])
        category.append(group[start])
    return pd.DataFrame(rows, columns=["user", "item"]), np.array(colour), np.array(category)


def colour_of_pictures(picture: Features, colours: np.ndarray, seed: int) -> Features:
    """The modality with colour probabilities in place of its vectors.

    Logistic regression is fitted on one half of the products and applied to the other, so that no product's
    own label is used for it.
    """
    codes = pd.factorize(colours, sort=True)[0].astype(np.int64)
    half = np.random.default_rng(seed).permutation(len(codes)) % 2
    said = np.zeros((len(codes), int(codes.max()) + 1), dtype=np.float32)
    for own in (0, 1):
        learned = np.flatnonzero((half != own) & picture.present)
        asked = np.flatnonzero(half == own)
        settings = FitSettings(operator="linear", seed=seed)
        validation = learned[:: max(1, len(learned) // 50)]
        fitted = fit_classifier(
            {"picture": picture}, codes, learned, validation, settings, ({"strength": 0.1},)
        )
        scores = np.exp(fitted.scores({"picture": picture}, asked))
        said[asked, : scores.shape[1]] = scores
    return picture.replaced(said, picture.present)


def _split(store: Dataset, events: pd.DataFrame, shoppers: int) -> Split:
    place = events.groupby("user").cumcount()
    last = place == HISTORY
    return Split(
        train=events[~last],
        validation=events[:0],
        test=events[last],
        kind="planted",
        n_users=shoppers,
        n_items=store.n_items,
    )


def _colour_share(model, split: Split, colours, colour, category, table: pd.DataFrame) -> float:
    """Share of products in the user's colour among the first ten products of the user's category."""
    users = np.arange(split.n_users)
    scores = np.array(model.score(users), dtype=np.float32)
    scores[split.train["user"], split.train["item"]] = -np.inf
    group = table["category"].str.split(" > ").str[0].to_numpy()
    scores[group[None, :] != category[:, None]] = -np.inf
    lists = top_lists(scores, 10)
    there = lists >= 0
    return float((colours[lists] == colour[:, None])[there].mean())
