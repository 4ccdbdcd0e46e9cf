"""Training throughput of this kit's loop against sentence-transformers' Trainer and a plain torch loop.

Every loop trains the same start on the same texts for the same number of steps with the same batch size,
loss, optimiser (AdamW without weight decay), peak rate, linear decay, clipping and dropout. They take turns
within a round, so that whatever else runs on the machine slows all of them. Timed is everything from texts
to trained weights, tokenising included; not the building of model and Trainer.

Quality is the mean reciprocal rank on held-out pairs afterwards, in fp32. A round has its own order and
dropout, so the rounds of one loop are the seeds of its band.

B: pairs of a batch. n: pairs.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from accelerate.state import AcceleratorState
from torch import nn

from recsys.encoders.backbone import Backbone, quiet
from recsys.encoders.embed import embed_texts
from recsys.encoders.tokens import tokenise
from recsys.losses.contrastive import SCALE, in_batch_softmax
from recsys.training.contrastive_samples import TextPairs, contrastive_loss
from recsys.training.loop import train
from recsys.training.settings import TrainingSettings

CLIP = 1.0  # sentence-transformers' default
TABLES = (nn.Embedding, nn.EmbeddingBag)
GEMM_SECONDS = 0.3  # of each measurement of the limit
GEMM_ROWS = 4096  # at most: the rate no longer grows


@dataclass(frozen=True)
class Pairs:
    """n pairs of texts, as from `recsys.training.contrastive_samples.title_pairs`."""

    left: Sequence[str]
    right: Sequence[str]

    def __post_init__(self):
        if len(self.left) != len(self.right):
            raise ValueError(f"{len(self.left)} left texts and {len(self.right)} right ones: a pair has both")

    def __len__(self) -> int:
        return len(self.left)

    def take(self, rows: slice | np.ndarray) -> Pairs:
        rows = np.arange(len(self))[rows]
        return Pairs([self.left[i] for i in rows], [self.right[i] for i in rows])


@dataclass(frozen=True)
class _Task:
    """What each loop is asked to do. seed: of the order of the pairs and of dropout."""

    pairs: Pairs
    batch_size: int
    max_tokens: int
    learning_rate: float
    seed: int

    @property
    def steps(self) -> int:
        return -(-len(self.pairs) // self.batch_size)


def compare_loops(
    backbone: Backbone,
    pairs: Pairs,
    held_out: Pairs | None = None,
    *,
    steps: int = 20,
    rounds: int = 3,
    threads: int = 1,
    seed: int = 0,
    batch_size: int = 64,
    max_tokens: int = 64,
    learning_rate: float = 5e-5,
    loops: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Train copies of a backbone with every loop in turn, after a step of warm-up for each.

    Args:
        backbone: the start; left as it is. On a GPU, where there is one, all loops train there.
        pairs: of which steps × batch_size are drawn, the same for all loops and rounds.
        held_out: for `validation_metric`; no pair of them should be among `pairs`. None: not measured.
        steps: optimiser steps, ≥ 1.
        rounds: repetitions, each with an order and dropout of its own, ≥ 1.
        threads: for torch; put back afterwards.
        seed: of the draw; of round r: seed + r.
        batch_size: B, ≥ 2: a single pair has nothing to be told from.
        loops: keys of `LOOPS`; None: all.

    Returns:
        One row for each round and loop:
        `loop`, `round`, `seconds`;
        `real_tokens`: of all texts of the round, without padding;
        `tokens_per_second`: real ones;
        `ratio`: of these to "plain fp32" in the same round; NaN without it;
        `cpu_seconds`: processor time of all threads, which does not count waiting for other programs: on a
            busy machine a fairer comparison than `seconds`;
        `cpu_ratio`: of plain's `cpu_seconds` in the same round to this loop's; NaN without it;
        `gemm_gflops`: rate of bare matrix products at the model's shapes in the loop's precision, the
            better of a measurement before and one after;
        `share_of_limit`: `useful_flops` over seconds over that rate, in (0, 1];
        `metric`: mean reciprocal rank on `held_out`; NaN without.

    Raises:
        ValueError: numbers out of range, too few pairs, an unknown loop.
        ImportError: sentence-transformers or datasets is not installed, and that loop is asked for.
    """
    loops = tuple(LOOPS) if loops is None else tuple(loops)
    _check(loops, pairs, steps, rounds, threads, batch_size)
    if "sentence-transformers" in loops:
        _sentence_transformers()
    drawn = np.random.default_rng(seed).permutation(len(pairs))[: steps * batch_size]
    chosen, before = pairs.take(drawn), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        warm_up = _Task(chosen.take(slice(batch_size)), batch_size, max_tokens, learning_rate, seed)
        for loop in loops:
            _run(loop, backbone, warm_up)
        rows = []
        for number in range(rounds):
            task = _Task(chosen, batch_size, max_tokens, learning_rate, seed + number)
            shift = number % len(loops)  # nobody is always the first or always behind the same one
            for loop in loops[shift:] + loops[:shift]:
                rows.append({"loop": loop, "round": number} | _measure(loop, backbone, task, held_out))
    finally:
        torch.set_num_threads(before)
        AcceleratorState._reset_state(reset_partial_state=True)
    frame = pd.DataFrame(rows)
    plain = frame[frame["loop"] == "plain fp32"].set_index("round")
    frame.insert(5, "ratio", frame["tokens_per_second"] / frame["round"].map(plain["tokens_per_second"]))
    frame.insert(7, "cpu_ratio", frame["round"].map(plain["cpu_seconds"]) / frame["cpu_seconds"])
    order = pd.Categorical(frame["loop"], categories=loops)
    return frame.assign(order=order).sort_values(["round", "order"], ignore_index=True).drop(columns="order")


def validation_metric(backbone: Backbone, held_out: Pairs, max_tokens: int = 64) -> float:
    """Mean reciprocal rank of the right text among all right texts, by cosine in fp32, in (0, 1].

    A right text that occurs twice is right both times. The backbone's train or eval mode is kept.
    """
    left, right = (
        embed_texts(backbone, texts, max_tokens=max_tokens, precision="fp32")
        for texts in (held_out.left, held_out.right)
    )
    scores = left @ right.T
    _, code = np.unique(np.asarray(held_out.right, dtype=object).astype(str), return_inverse=True)
    wrong = code[:, None] != code[None, :]
    better = (scores > np.diag(scores)[:, None]) & wrong
    return float((1 / (1 + better.sum(axis=1))).mean())


def useful_flops(model: nn.Module, lengths: np.ndarray) -> int:
    """Floating-point operations of a forward and backward pass over texts of these lengths, unpadded.

    3 · (2 · matrix weights for each token + 4 · layers · width · length for each token, for q·k and the
    weighted sum of v). Embedding tables are looked up, not multiplied. Norms, softmax, GELU, dropout and the
    optimiser count for nothing: they are what keeps the share of the limit below 1.
    """
    weights = sum(weight.numel() for weight in _matrices(model))
    config = getattr(model, "model", model).config
    lengths = np.asarray(lengths, dtype=np.int64)
    attention = 4 * config.num_hidden_layers * config.hidden_size * int((lengths**2).sum())
    return 3 * (2 * weights * int(lengths.sum()) + attention)


def gemm_rate(model: nn.Module, rows: int, dtype: torch.dtype, seconds: float | None = None) -> float:
    """Operations a second of X Wᵀ, dY W and dYᵀ X for the model's weights W, [rows, ·] X and dY; the fastest.

    Each shape counts as often as the model has it, so this is the rate of the model's own mix.

    Args:
        seconds: that are spent on it; None: `GEMM_SECONDS`.
    """
    seconds = GEMM_SECONDS if seconds is None else seconds
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, generator=generator).to(dtype)

    shapes: dict[tuple[int, int], int] = {}
    for weight in _matrices(model):
        shapes[tuple(weight.shape)] = shapes.get(tuple(weight.shape), 0) + 1
    total, work = 0.0, 0
    for (wide, deep), count in shapes.items():
        weight, x, dy = random(wide, deep), random(rows, deep), random(rows, wide)
        fastest, until = float("inf"), time.perf_counter() + seconds / len(shapes)
        while time.perf_counter() < until or fastest == float("inf"):
            start = _clocks()[0]
            torch.mm(x, weight.t())
            torch.mm(dy, weight)
            torch.mm(dy.t(), x)
            fastest = min(fastest, _clocks()[0] - start)
        total, work = total + count * fastest, work + count * 6 * rows * wide * deep
    return work / total


def _matrices(model: nn.Module) -> list[nn.Parameter]:
    tables = {id(module.weight) for module in model.modules() if isinstance(module, TABLES)}
    return [p for p in model.parameters() if p.ndim == 2 and id(p) not in tables]


def _check(
    loops: Sequence[str], pairs: Pairs, steps: int, rounds: int, threads: int, batch_size: int
) -> None:
    unknown = [loop for loop in loops if loop not in LOOPS]
    if unknown or not loops:
        raise ValueError(f"loops must be some of {', '.join(LOOPS)}, got {', '.join(unknown) or 'none'}")
    for name, value, least in (
        ("steps", steps, 1),
        ("rounds", rounds, 1),
        ("threads", threads, 1),
        ("batch_size", batch_size, 2),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if len(pairs) < steps * batch_size:
        raise ValueError(f"{steps} steps of {batch_size} need {steps * batch_size} pairs, got {len(pairs)}")


def _measure(loop: str, start: Backbone, task: _Task, held_out: Pairs | None) -> dict[str, float]:
    tokens = [
        tokenise(start, texts, task.max_tokens).lengths for texts in (task.pairs.left, task.pairs.right)
    ]
    lengths = np.concatenate(tokens)
    real, rows = int(lengths.sum()), min(GEMM_ROWS, int(lengths.sum()) // task.steps)
    dtype = torch.bfloat16 if loop in BF16 else torch.float32
    probe = copy.deepcopy(start).to(_device())
    earlier = gemm_rate(probe, rows, dtype)
    (seconds, cpu), trained = _run(loop, start, task)
    limit = max(earlier, gemm_rate(probe, rows, dtype))
    return {
        "seconds": seconds,
        "real_tokens": real,
        "tokens_per_second": real / seconds,
        "cpu_seconds": cpu,
        "gemm_gflops": limit / 1e9,
        "share_of_limit": useful_flops(start, lengths) / seconds / limit,
        "metric": float("nan") if held_out is None else validation_metric(trained, held_out, task.max_tokens),
    }


def _run(loop: str, start: Backbone, task: _Task) -> tuple[np.ndarray, Backbone]:
    """[wall, processor] seconds of training a copy of the start, and that copy."""
    # accelerate keeps precision and device for the whole process: each loop gets what it asks for itself
    AcceleratorState._reset_state(reset_partial_state=True)
    with torch.random.fork_rng():
        torch.manual_seed(task.seed)
        return LOOPS[loop](copy.deepcopy(start).to(_device()), task)


def _plain(backbone: Backbone, task: _Task) -> tuple[np.ndarray, Backbone]:
    device, steps, size = next(backbone.parameters()).device, task.steps, task.batch_size

    def encode(texts: Sequence[str]) -> torch.Tensor:
        rows = backbone.tokenizer(
            texts, padding=True, truncation=True, max_length=task.max_tokens, return_tensors="pt"
        ).to(device)
        return backbone(rows["input_ids"], rows["attention_mask"])

    start = _clocks()
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=task.learning_rate, weight_decay=0.0)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    order = torch.randperm(len(task.pairs)).numpy()
    backbone.train()
    for step in range(steps):
        batch = task.pairs.take(order[step * size : (step + 1) * size])
        loss = in_batch_softmax(encode(batch.left), encode(batch.right)) / len(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(backbone.parameters(), CLIP)
        optimizer.step()
        decay.step()
        optimizer.zero_grad()
    return _clocks() - start, backbone


def _kit(precision: str) -> Callable[[Backbone, _Task], tuple[np.ndarray, Backbone]]:
    def run(backbone: Backbone, task: _Task) -> tuple[np.ndarray, Backbone]:
        settings = TrainingSettings(
            epochs=1,
            learning_rate=task.learning_rate,
            warmup_share=0.0,
            batch_size=task.batch_size,
            clip_norm=CLIP,
            mixed_precision=precision,
            seed=task.seed,
        )
        start = _clocks()
        samples = TextPairs(backbone, task.pairs.left, task.pairs.right, task.max_tokens)
        result = train(backbone, samples, contrastive_loss, settings, progress=False)
        return _clocks() - start, result.model

    return run


def _trainer(backbone: Backbone, task: _Task) -> tuple[np.ndarray, Backbone]:
    """sentence-transformers' own Trainer and loss; its default precision is fp32."""
    library, datasets = _sentence_transformers()
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers.trainer_callback import PrinterCallback

    columns = {"anchor": list(task.pairs.left), "positive": list(task.pairs.right)}
    with tempfile.TemporaryDirectory() as folder, quiet():
        model = _as_sentence_transformer(library, backbone, folder, task.max_tokens)
        model.model_card_data.widget = ["none"]  # else it looks for examples, and draws a bar
        trainer = library.SentenceTransformerTrainer(
            model=model,
            args=library.SentenceTransformerTrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=task.batch_size,
                learning_rate=task.learning_rate,
                max_grad_norm=CLIP,
                seed=task.seed,
                use_cpu=_device().type == "cpu",
                dataloader_pin_memory=_device().type != "cpu",
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_dict(columns),
            loss=MultipleNegativesRankingLoss(model, scale=SCALE),
        )
        trainer.remove_callback(PrinterCallback)
        start = _clocks()
        trainer.train()
        spent = _clocks() - start
    weights = {f"model.{name}": value for name, value in model[0].auto_model.state_dict().items()}
    backbone.load_state_dict(weights)
    return spent, backbone


def _as_sentence_transformer(library, backbone: Backbone, folder: str, max_tokens: int):
    """The same network and weights as the library's modules, by way of a folder."""
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    backbone.save(folder)
    options = {"add_pooling_layer": False} if backbone.model.config.model_type == "bert" else {}
    reader = Transformer(folder, model_kwargs=options, max_seq_length=max_tokens)
    how = {"last": "lasttoken"}.get(backbone.pooling, backbone.pooling)
    return library.SentenceTransformer(
        modules=[reader, Pooling(backbone.width, pooling_mode=how)], device=str(_device())
    )


def _sentence_transformers():
    """The libraries, imported only where they are measured.

    Raises:
        ImportError: one is missing; says how to get it, and how to do without.
    """
    try:
        import datasets
        import sentence_transformers
    except ImportError as error:
        raise ImportError(
            f"the loop 'sentence-transformers' needs the package {error.name}, which is not installed: "
            "pip install sentence-transformers datasets, or leave that loop out of `loops`"
        ) from error
    return sentence_transformers, datasets


def _device() -> torch.device:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def _clocks() -> np.ndarray:
    """Seconds on the wall's clock and on the processor's."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return np.array([time.perf_counter(), time.process_time()])


LOOPS: dict[str, Callable[[Backbone, _Task], tuple[np.ndarray, Backbone]]] = {
    "plain fp32": _plain,
    "sentence-transformers": _trainer,
    "kit fp32": _kit("no"),
    "kit": _kit("bf16"),
}
BF16 = {"kit"}
