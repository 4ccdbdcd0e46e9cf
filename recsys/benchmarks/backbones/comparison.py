"""Compares backbones on equal terms: one task, one method of using the model, one budget (steps or seconds).

Methods: "trivial" (majority class, or popularity), "tfidf" (TF-IDF with a linear model), "zero_shot" (nothing
trained: cosine with the class name, of the two texts, or with the newest title), "prompt" (a generative
model's likelihood of label words, or of titles, which orders the first zero-shot results of MiniLM anew),
"write" (the label word in what it writes), or a tuning method ("full", "lora", "frozen" …), trained for
`max_steps` steps or, where `seconds` are given, for as many as fit into them after the search for a learning
rate.

N: texts. C: classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize

from recsys.baselines.popularity import Popularity
from recsys.benchmarks.backbones.costs import instead_of_sizes
from recsys.benchmarks.backbones.seconds_budget import steps_within
from recsys.data.labelled.dataset import load_labelled
from recsys.data.load import load_dataset
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.packaged.text import PACKAGED_TEXT
from recsys.models.labelled.task import LabelledTask, Part
from recsys.models.next_item.zero_shot import ZeroShot
from recsys.models.prompting.classifier import PromptedClassifier
from recsys.models.prompting.few_shot import budget, fresh_part
from recsys.models.prompting.generator import load_generator
from recsys.models.prompting.memorisation import memory_table
from recsys.models.prompting.ranking import PromptedReranker
from recsys.models.tuning.comparison import WORDS, Learnt, learn_by_name
from recsys.models.tuning.task import Labelled, NextItem, TunedTask, load_tuned_task
from recsys.training.settings import TrainingSettings

PROMPTED = ("prompt", "write")
UNTRAINED = ("trivial", "zero_shot", *PROMPTED)
RETRIEVER = "minilm"  # whose first results a generative model orders anew
SHARPNESS = 20.0  # factor that turns cosines into logits; does not change accuracy
ENCODERS = {"random-bert", *PACKAGED_TEXT} - {"smollm2-135m"}  # named here, so that the hub is not asked


@dataclass(frozen=True)
class Outcome:
    """Result of a comparison run.

    Attributes:
        metrics: quality (the task's primary metric on test), quality_validation, all test metrics, and costs;
            mflops too where an answer is not an encoder's one reading of its texts (`sizes`): 0 where no
            backbone is asked (then parameters, too), a prompt's where one is.
        positions: rank positions of each test user or row; None where there are none.
        texts, max_tokens: the test's texts (of pairs both) or the shop's titles, and how many tokens of each
            are read: what `sizes` counts the operations of.
        texts_each: how many of them an answer needs: two of a pair.
        learnt: the trained model, or None.
    """

    metrics: dict[str, float]
    positions: pd.DataFrame | None
    texts: list[str]
    max_tokens: int
    texts_each: int = 1
    learnt: Learnt | None = None


class Scores:
    """An untrained method that gives outputs [N, C], with the interface of a trained classifier."""

    def __init__(self, outputs: Callable[[Part], np.ndarray]):
        self.outputs = outputs


def compare(
    dataset: str,
    backbone: str,
    method: str,
    settings: TrainingSettings,
    *,
    layers: int = 0,
    shots: int = -1,
    seconds: float = 0.0,
    rates_tried: int = 3,
    search_share: float = 0.25,
    judged: int = 0,
    tested: int = 0,
    train_share: float = 1.0,
    fresh_test: bool = False,
    progress: bool = False,
) -> Outcome:
    """Evaluate one backbone with one method on one task.

    Args:
        dataset: as `load_tuned_task`. backbone, layers: as `load_backbone`; 0 layers keeps all.
        method: see the module.
        settings: of training; its seed is used for all random draws.
        shots: labels per class for training or prompts; −1: all.
        seconds: budget of search and training together; 0: use `settings.max_steps`.
        rates_tried, search_share: of the search for a learning rate, as `learn_by_name`.
        judged, tested, train_share: as `load_tuned_task`.
        fresh_test: the seed also draws the `tested` rows or queries, of labelled texts: of what trains
            nothing three seeds on one and the same test would be one run told three times.

    Raises:
        ValueError: shots or a fresh test of a shop, no shots for a method that learns, seconds of a method
            that trains nothing; what loaders and models raise.
    """
    most = 0 if fresh_test else tested
    task = load_tuned_task(dataset, backbone, layers, train_share, judged, most, seed=settings.seed)
    if shots >= 0 or fresh_test:
        if not isinstance(task, Labelled):
            raise ValueError(f"{dataset} has no classes: shots must be -1 and fresh_test False, got {shots}")
        task = replace(task, task=_drawn(task.task, shots, tested if fresh_test else 0, settings.seed))
    if shots == 0 and method not in UNTRAINED:
        raise ValueError(f"shots=0 leaves {method} nothing to learn from: use trivial, zero_shot or prompt")
    if seconds and method in (*UNTRAINED, WORDS):
        raise ValueError(f"{method} trains nothing for a number of seconds: leave seconds at 0")
    if method in UNTRAINED:
        model, learnt = untrained(task, backbone, layers, method, settings.seed), None
        costs: dict[str, float] = {}
    else:
        search = {"rates_tried": rates_tried, "search_share": search_share}
        once = 0.0
        if seconds:
            steps, once = steps_within(task, method, settings, seconds, **search)
            settings = replace(settings, max_steps=steps)
        start = perf_counter()
        learnt = learn_by_name(task, method, settings, **search, progress=progress)
        model, costs = learnt.model, {"fit_seconds": once + perf_counter() - start}
        if learnt.settings is not None:
            costs |= {"steps": float(learnt.model.result.history["step"].max())}
    on_test, positions = task.judge(model, "test")
    costs |= instead_of_sizes(task, model, method, positions)  # of test, before validation is asked
    validation = task.judge(model, "validation")[0][task.primary]
    quality = {"quality": on_test[task.primary], "quality_validation": validation}
    # rows are numbered within a part: those of another seed are other rows, and must not be paired by number
    positions = None if fresh_test else positions
    return Outcome(on_test | quality | costs, positions, *_texts_read(task), learnt)


def untrained(task: TunedTask, backbone: str, layers: int, method: str, seed: int = 0) -> Any:
    """A model for a task without training. method: one of UNTRAINED. seed: of guesses where nothing is said.

    Raises:
        ValueError: a prompt for a data set without one, of some layers, or of an encoder; a grade by class
            names; a title to be written.
    """
    if method in PROMPTED and layers:
        raise ValueError(f"a prompt asks the whole model: leave layers at 0, instead of {layers}")
    if method in PROMPTED and backbone in ENCODERS:
        raise ValueError(f"{backbone} is an encoder: it writes nothing; use smollm2-135m or another GPT")
    if isinstance(task, NextItem):
        split, train = task.data.split, task.data.train
        if method == "write":
            raise ValueError('a written title is seldom one of the shop: use "prompt", which ranks')
        model: Any
        if method == "prompt":
            titles = task.data.required_titles()
            first = ZeroShot(replace(task, backbone=RETRIEVER).item_vectors)
            model = PromptedReranker(first, load_generator(backbone), titles)
        else:
            model = Popularity() if method == "trivial" else ZeroShot(task.item_vectors)
        return model.fit(train, split.n_users, split.n_items)
    if method == "trivial":
        return Scores(partial(_majority, task.task))
    if method in PROMPTED:
        return PromptedClassifier(load_generator(backbone), task.task, writes=method == "write", seed=seed)
    return Scores(partial(_by_cosine, load_backbone(backbone, layers=layers or None), task.task))


def judge_pairs(dataset: str, backbone: Backbone, max_tokens: int = 48) -> dict[str, float]:
    """AUC of classifying pairs of texts by their cosine, without training, on all rows of a data set.

    Returns:
        <dataset>_auc, and as a baseline <dataset>_auc_bigrams: the cosine of counts of character uni- and
        bigrams.

    Raises:
        ValueError: a data set without pairs of two classes.
    """
    data = load_labelled(dataset)
    if "text_pair" not in data.table or len(data.labels) != 2:
        raise ValueError(f"{dataset} has no pairs of two classes")
    first, second = data.table["text"].tolist(), data.table["text_pair"].tolist()
    vectors = [embed_texts(backbone, texts, max_tokens=max_tokens) for texts in (first, second)]
    counts = CountVectorizer(analyzer="char", ngram_range=(1, 2)).fit([*first, *second])
    words = [normalize(counts.transform(texts)) for texts in (first, second)]
    scores = {"": (vectors[0] * vectors[1]).sum(axis=1)}
    scores["_bigrams"] = np.asarray(words[0].multiply(words[1]).sum(axis=1)).ravel()
    label = data.table["label"]
    return {f"{dataset}_auc{name}": float(roc_auc_score(label, score)) for name, score in scores.items()}


def catalogue_memory(dataset: str, backbone: str, titles: int, seed: int = 0) -> pd.DataFrame:
    """How many titles of a data set a generative model has memorised, see `memory_table`; empty for 0 titles.

    Raises:
        ValueError: a data set without titles; ValueError, BackboneError: of `load_generator`, `memory_table`.
    """
    if not titles:
        return pd.DataFrame()
    items = load_dataset(dataset).items
    if "title" not in items:
        raise ValueError(f"{dataset} has no titles that a model could have memorised")
    what = "Film" if dataset.startswith("movielens") else "Product"
    return memory_table(
        load_generator(backbone), items["title"].dropna().tolist(), what, most=titles, seed=seed
    )


def _texts_read(task: TunedTask) -> tuple[list[str], int, int]:
    """Texts that are read, how many tokens of each, and how many of them an answer needs."""
    if isinstance(task, NextItem):
        return task.data.required_titles(), task.reading.max_tokens, 1
    own = task.task
    return [*own.test.texts, *(own.test.pairs or ())], own.max_tokens, 2 if own.paired else 1


def _drawn(task: LabelledTask, shots: int, most: int, seed: int) -> LabelledTask:
    """The task with so many labels a class (−1: all), and so many rows or queries of test (0: all)."""
    task = budget(task, shots, seed) if shots >= 0 else task
    return replace(task, test=fresh_part(task.test, most, seed))


def _majority(task: LabelledTask, part: Part) -> np.ndarray:
    """Log of each class's share in training, or the mean grade; the same for every row."""
    if task.kind == "grade":
        return np.full((len(part), 1), float(np.mean(task.train.labels)) if len(task.train) else 0.0)
    counts = np.bincount(task.train.labels, minlength=len(task.labels)) + 1
    return np.tile(np.log(counts / counts.sum()), (len(part), 1))


def _by_cosine(backbone: Backbone, task: LabelledTask, part: Part) -> np.ndarray:
    vectors = embed_texts(backbone, part.texts, max_tokens=task.max_tokens)
    if task.paired:
        return (vectors * embed_texts(backbone, part.pairs, max_tokens=task.max_tokens)).sum(axis=1)[:, None]
    names = [name.replace("_", " ") for name in task.labels]
    classes = embed_texts(backbone, names, max_tokens=task.max_tokens)
    return SHARPNESS * vectors @ classes.T
