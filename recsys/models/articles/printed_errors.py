"""The errors in the programs printed in 000 §5.2 and 004 §5.2, each demonstrated by a few lines that run.

Nothing here is a quotation: a demonstration recreates one situation on a small BERT with random weights,
reports what Python says today, and runs the corrected form beside it. Ids: `experiments/articles.yaml`.

Left out is "advice-not-followed" (000 §5.2 against its §9 Q2): a choice of settings, no code to run.
B: texts. T: tokens. M: classes, that is products.
"""

from __future__ import annotations

import builtins
import types
from collections.abc import Callable

import pandas as pd
import torch
from sklearn.metrics import classification_report
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import default_collate

from recsys.models.articles.demonstration import B, Bench, Finding, M, T, said, second_device, works

ARTICLES = ("000", "004")
COLUMNS = ["id", "where", "is_wrong", "what_happens", "mended", "mended_works"]
TEXTS = ["red shoe ; blue sock", "green tea ; cup", "chess board ; clock", "tent ; sleeping bag"] * (B // 4)
PRODUCTS = ["running shoe", "tea pot", "chess book", "camping stove"] * (B // 4)
NONE, POSITIVE, NEGATIVE = range(3)  # the feedback classes of 004; the first is written 'O' there

# Names that the printed programs use without defining them. They are defined here only for linters: `printed`
# runs the code in a namespace without them, as the programs would.
item_labels = [0, 1]
device = torch.device("cpu")
train_dataset: list = []


def printed(function: Callable, *arguments, **names):
    """Call a function as part of another program, whose only globals are `names` and the built-ins."""
    return types.FunctionType(function.__code__, {"__builtins__": builtins, **names})(*arguments)


def raising(calls: list[Callable[[], object]], mended_form: Callable[[], object]) -> Finding:
    """The finding of an error where each of `calls` should raise an exception."""
    heard = [said(call) for call in calls]
    told = "; ".join(dict.fromkeys(line or "no exception" for line in heard))
    return Finding(told, None not in heard, works(mended_form))


def adamw_gone(bench: Bench) -> Finding:
    """transformers no longer has an optimiser of this name."""

    def printed_import():
        from transformers import AdamW

        return AdamW

    def a_step():
        model = bench.model()
        before = model.classifier.weight.detach().clone()
        model(**bench.batch(TEXTS), labels=torch.arange(B) % M).loss.backward()
        torch.optim.AdamW(model.parameters(), lr=2e-5).step()
        return not torch.equal(before, model.classifier.weight)

    return raising([printed_import], a_step)


def extra_batch_dimension(bench: Bench) -> Finding:
    """Each text tokenised by itself as a [1, T] tensor; stacked they are [B, 1, T]."""
    model = bench.model()
    rows = default_collate([bench.batch([text], padding="max_length") for text in TEXTS])
    return raising([lambda: model(**rows)], lambda: model(**bench.batch(TEXTS)).logits.shape == (B, M))


def num_labels_undefined(bench: Bench) -> Finding:
    """The number of classes is read off a variable that only the data set's own method has."""

    def one_sample(labels):
        item_labels = labels
        return torch.tensor(item_labels)

    def number_of_classes():
        return len(item_labels)

    def both():
        printed(one_sample, [0, 1], torch=torch)
        printed(number_of_classes, torch=torch)

    products = len(set(PRODUCTS))
    return raising([both], lambda: bench.model(products)(**bench.batch(TEXTS)).logits.shape == (B, products))


def label_list_per_sequence(bench: Bench) -> Finding:
    """Two labels for each text, where the classifier's loss takes one; or label lists of unequal length."""
    batch, pairs = bench.batch(TEXTS), torch.stack([torch.arange(B) % M, torch.arange(1, B + 1) % M], dim=1)
    ragged = [{"labels": torch.tensor(labels)} for labels in ([0, 1], [2])]

    def one_item_or_many():
        one = bench.model()(**batch, labels=pairs[:, -1]).loss
        many_hot = torch.zeros(B, M).scatter(1, pairs, 1.0)
        many = bench.model(problem="multi_label_classification")(**batch, labels=many_hot).loss
        return torch.isfinite(one) and torch.isfinite(many)

    return raising(
        [lambda: bench.model()(**batch, labels=pairs), lambda: default_collate(ragged)], one_item_or_many
    )


def device_undefined(bench: Bench) -> Finding:
    """The batch is moved to a device whose variable is not defined yet."""
    model, batch = bench.model(), bench.batch(TEXTS)

    def moved(batch):
        return batch["input_ids"].to(device)

    def to_the_models_device():
        where = next(model.parameters()).device
        return model(**{name: part.to(where) for name, part in batch.items()}).logits.device == where

    return raising([lambda: printed(moved, batch, torch=torch)], to_the_models_device)


def report_not_imported(bench: Bench) -> Finding:
    """The last call names a function that is not imported, the first one data that are never made."""

    def at_the_end():
        return classification_report([0, 1], [0, 1])

    def at_the_start():
        return len(train_dataset)

    return raising(
        [lambda: printed(at_the_end, torch=torch), lambda: printed(at_the_start, torch=torch)],
        lambda: "accuracy" in at_the_end() and at_the_start() == 0,
    )


def argmax_dim_2(bench: Bench) -> Finding:
    """A sequence classifier's logits are [B, M]: there is no dimension 2."""
    logits = bench.model()(**bench.batch(TEXTS)).logits
    return raising([lambda: logits.argmax(dim=2)], lambda: logits.argmax(dim=-1).shape == (B,))


def nested_report(bench: Bench) -> Finding:
    """Lists of lists, of class numbers as in 000 and of names as in 004."""
    nested = [[1, 2], [0, 1]], [["O", "Positive"], ["Negative", "O"]]

    def flat():
        lines = classification_report([1, 2, 0], [1, 2, 1], output_dict=True, zero_division=0)
        return abs(lines["accuracy"] - 2 / 3) < 1e-12

    return raising([lambda lists=lists: classification_report(lists, lists) for lists in nested], flat)


@torch.no_grad()
def unknown_item_arguments(bench: Bench) -> Finding:
    """Product texts passed as arguments that the model does not have: a TypeError, or silently ignored."""
    model, queries = bench.model(), bench.batch(TEXTS)

    def with_products(texts: list[str]) -> dict[str, Tensor]:
        products = bench.batch(texts)
        return queries | {"item_ids": products["input_ids"], "item_masks": products["attention_mask"]}

    def change(inputs: Callable[[list[str]], dict[str, Tensor]]) -> float:
        here, there = (model(**inputs(texts)).logits for texts in (PRODUCTS, PRODUCTS[::-1]))
        return float((here - there).abs().max())

    error = said(lambda: change(with_products))
    moved = 0.0 if error else change(with_products)
    told = error or f"no exception; other product texts change the logits by {moved:g}"
    return Finding(told, moved == 0, works(lambda: change(lambda texts: bench.batch(TEXTS, texts)) > 0))


def padding_as_label(bench: Bench) -> Finding:
    """Labels padded with "O" to 128: too many for a sequence; per token, padding counts as correct."""
    model, batch = bench.model(classes=3), bench.batch(TEXTS, padding="max_length")
    given = torch.tensor([[POSITIVE, NEGATIVE], [NEGATIVE, POSITIVE]] * (B // 2))  # none of them is "O"
    filled, ignored = torch.full((B, T), NONE), torch.full((B, T), -100)
    filled[:, :2], ignored[:, :2] = given, given
    error = said(lambda: model(**batch, labels=filled))
    right = (filled == NONE).float().mean()
    told = f"{error or 'no exception'}; per token, always saying 'O' is right in {right:.1%}"

    def one_label_or_ignored():
        logits = torch.linspace(-1, 1, B * T * 3).reshape(B, T, 3)
        all_places = cross_entropy(logits.flatten(0, 1), ignored.flatten())
        given_places = cross_entropy(logits[:, :2].flatten(0, 1), given.flatten())
        one = model(**batch, labels=given[:, 0]).loss
        return torch.isfinite(one) and torch.isclose(all_places, given_places)

    return Finding(told, error is not None, works(one_label_or_ignored))


def labels_left_on_cpu(bench: Bench) -> Finding:
    """Labels on the CPU, the rest on the bench's device.

    Without a GPU that is torch's "meta" device, on which a loss refuses labels from elsewhere too, but
    nothing is computed. No attention mask is given, because reading a mask needs numbers.
    """
    model, ids = bench.model().to(bench.device), bench.batch(TEXTS)["input_ids"].to(bench.device)
    labels = torch.arange(B) % M
    error = said(lambda: model(ids, labels=labels))
    note = " (meta device; needs a GPU to be seen as printed)" if bench.device.type == "meta" else ""
    mended = works(lambda: model(ids, labels=labels.to(bench.device)).loss.ndim == 0)
    return Finding((error or "no exception") + note, error is not None, mended)


# id in experiments/articles.yaml: its demonstration, where it is printed, and what was done
DEMONSTRATIONS: dict[str, tuple[Callable[[Bench], Finding], str, str]] = {
    "adamw-gone": (adamw_gone, "000 §5.2, 004 §5.2", "torch.optim.AdamW"),
    "extra-batch-dimension": (extra_batch_dimension, "000 §5.2", "the batch is tokenised at once: [B, T]"),
    "num-labels-undefined": (num_labels_undefined, "000 §5.2", "num_labels = M, the number of products"),
    "label-list-per-sequence": (label_list_per_sequence, "000 §5.2", "one next item, or multi-hot with BCE"),
    "device-undefined": (device_undefined, "000 §5.2", "model and batch on one device, the model's"),
    "report-not-imported": (report_not_imported, "000 §5.2", "the report imported, the three parts made"),
    "argmax-dim-2": (argmax_dim_2, "000 §5.2, 004 §5.2", "argmax(dim=-1): one class per text"),
    "nested-report": (nested_report, "000 §5.2, 004 §5.2", "flat lists, one label per text"),
    "unknown-item-arguments": (unknown_item_arguments, "004 §5.2", "query and product text as one pair"),
    "padding-as-label": (padding_as_label, "004 §5.2", "one label per pair; per token, −100 in padding"),
    "labels-left-on-cpu": (labels_left_on_cpu, "004 §5.2", "labels moved with the batch"),
}


def printed_errors(ids: list[str] | None = None, gpu: str | None = None) -> pd.DataFrame:
    """Run the demonstrations, about a second in all. The CPU's random generator does not change.

    Args:
        ids: of `DEMONSTRATIONS`; None runs them all.
        gpu: the device beside the CPU that "labels-left-on-cpu" needs; None takes `second_device()`.

    Returns:
        One row per error: id, where (article and section), is_wrong (bool: today still), what_happens
        (exception with its first line, or what was observed), mended (what was done), mended_works (bool).

    Raises:
        KeyError: no such id.
    """
    bench, rows = Bench(torch.device(gpu or second_device())), []
    for name in DEMONSTRATIONS if ids is None else ids:
        demonstrate, where, mended = DEMONSTRATIONS[name]
        finding = demonstrate(bench)
        rows.append((name, where, finding.is_wrong, finding.what_happens, mended, finding.mended_works))
    return pd.DataFrame(rows, columns=COLUMNS)


def error_counts(shown: pd.DataFrame) -> dict[str, float]:
    """Metrics errors_in_000 and errors_in_004: errors that still stop each article's program, or make it
    compute something else than it says. shown: the table of `printed_errors`."""
    wrong = shown.loc[shown["is_wrong"], "where"]
    return {f"errors_in_{article}": float(wrong.str.contains(article).sum()) for article in ARTICLES}
