"""Pipeline parallelism: one encoder in several processes, each with some of its layers (004 Q2, Q5).

Texts are processed in micro-batches, so that all processes compute at the same time except while the pipeline
fills and drains (GPipe, Huang et al. 2019, arXiv:1811.06965; forward only). torch.distributed's `pipelining`
has this schedule for micro-batches of one shape; texts have many lengths, and padding all to the longest
would cost more than the few lines of send and receive in `recsys.benchmarks.resources.pipeline_process`.

n: texts. D: width. R: rounds. P: processes.
"""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import psutil
from torch import nn

from recsys.benchmarks.resources.pipeline_process import CLOCKS, PLAN, REPORT, VECTORS
from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.length_batches import length_batches
from recsys.encoders.tokens import Tokens, tokenise
from recsys.speed.encoder import unit


@dataclass(frozen=True)
class PipelineRun:
    """Result of a pipeline run.

    vectors: [n, D] float32, length 1. seconds: [R] wall time of all texts, without loading.
    latency: [A] wall time of each text encoded by itself, until the first process knows that it is done.
    bubble: least share of the time spent filling and draining, (P − 1) ÷ (micro-batches + P − 1).
    stages: one row per process: layers; weight_bytes of its parameters; resident_bytes, growth of the process
    from before loading until after the last round; cpu and waited, medians over rounds of the seconds spent
    computing and waiting for hidden states; sent_bytes per round; addresses of its sockets.
    """

    vectors: np.ndarray
    seconds: np.ndarray
    latency: np.ndarray
    bubble: float
    stages: pd.DataFrame


def stage_of(backbone: Backbone, start: int, stop: int) -> Backbone:
    """A copy with layers start … stop − 1; only the copy with the first layer has the word embeddings.

    Raises:
        ValueError: not 0 ≤ start < stop ≤ layers.
    """
    model = copy.deepcopy(backbone.model)
    _, layers = transformer_layers(model)
    if not 0 <= start < stop <= len(layers):
        raise ValueError(f"a stage of layers {start} to {stop} of {len(layers)}: give rising splits between")
    del layers[stop:], layers[:start]
    config = model.config
    config.num_hidden_layers = stop - start
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[start:stop]
    if start:
        # hidden states come from the stage before; a few rows stay for the dummy ids that the model looks up
        config.vocab_size = (config.pad_token_id or 0) + 1
        model.set_input_embeddings(
            nn.Embedding(config.vocab_size, model.get_input_embeddings().embedding_dim)
        )
    return Backbone(model, backbone.tokenizer, backbone.name, backbone.pooling).eval()


def run_pipeline(
    backbone: Backbone,
    texts: Sequence[str],
    splits: Sequence[int] = (),
    *,
    token_budget: int = 2048,
    max_tokens: int = 128,
    rounds: int = 3,
    one_by_one: int = 0,
    threads: int = 1,
    timeout: float = 300,
) -> PipelineRun:
    """Encode texts with the layers spread over len(splits) + 1 new processes.

    Each process reads only its own layers from a file. One process, splits = (), is the baseline.

    Args:
        splits: first layer of the second process, of the third, …; ascending, from 1 to layers − 1.
        token_budget: tokens of a padded micro-batch. rounds: measured, after one warm-up round.
        one_by_one: number of texts, from the first on, that are then encoded one at a time, as queries.
        threads: of each process. timeout: seconds for everything, including the start.

    Raises:
        ValueError: splits as said; `rounds` or `threads` below 1; `one_by_one` not from 0 to n; as
            `tokenise`.
        RuntimeError: a process failed (with its last lines of output); TimeoutError: not done in time. The
            other processes are ended in both cases.
    """
    if rounds < 1 or threads < 1:
        raise ValueError(f"rounds and threads must be at least 1, got {rounds}, {threads}")
    if not 0 <= one_by_one <= len(texts):
        raise ValueError(f"one_by_one must be from 0 to the {len(texts)} texts, got {one_by_one}")
    tokens = tokenise(backbone, texts, max_tokens=max_tokens)
    batches = length_batches(tokens.lengths, token_budget=token_budget)
    _, layers = transformer_layers(backbone.model)
    ends = [0, *splits, len(layers)]
    with TemporaryDirectory(prefix="pipeline-") as name:
        folder = Path(name)
        for rank, (start, stop) in enumerate(pairwise(ends)):
            stage_of(backbone, start, stop).save(folder / f"stage{rank}")
        _write_plan(folder, tokens, batches, [len(ends) - 1, rounds, one_by_one, threads, int(timeout)])
        _launch(folder, len(ends) - 1, threads, timeout)
        reports = [json.loads((folder / REPORT.format(rank)).read_text()) for rank in range(len(ends) - 1)]
        vectors = np.load(folder / VECTORS)
    seconds, latency = (np.array(reports[0][clock]) for clock in CLOCKS)
    bubble = len(splits) / (len(batches) + len(splits))
    stages = pd.DataFrame(reports).drop(columns=list(CLOCKS))
    return PipelineRun(unit(vectors), seconds, latency, bubble, stages)


def _write_plan(folder: Path, tokens: Tokens, batches: list[np.ndarray], settings: list[int]) -> None:
    np.savez(
        folder / PLAN,
        ids=tokens.ids,
        offsets=tokens.offsets,
        pad=tokens.pad_id,
        left=tokens.padding_side == "left",
        rows=np.concatenate(batches),
        sizes=[len(batch) for batch in batches],
        settings=settings,
    )


def _launch(folder: Path, processes: int, threads: int, timeout: float) -> None:
    root = str(Path(__file__).parents[3])  # the children run this very code, wherever they are started
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    extra = {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads), "GLOO_SOCKET_IFNAME": _loopback()}
    running, end = [], time.monotonic() + timeout
    try:
        for rank in range(processes):
            with (folder / f"log{rank}").open("w") as log:
                command = [
                    sys.executable,
                    "-m",
                    "recsys.benchmarks.resources.pipeline_process",
                    str(folder),
                    str(rank),
                ]
                running.append(subprocess.Popen(command, env=os.environ | extra, stdout=log, stderr=log))
        while any(process.poll() is None for process in running):
            failed = [rank for rank, process in enumerate(running) if process.poll()]
            if failed:
                break
            if time.monotonic() > end:
                raise TimeoutError(f"{processes} processes were not done within {timeout} s")
            time.sleep(0.02)
        failed = [rank for rank, process in enumerate(running) if process.poll()]
        if failed:
            last = (folder / f"log{failed[0]}").read_text()[-1000:]
            raise RuntimeError(f"process {failed[0]} of {processes} failed:\n{last}")
    finally:
        for process in running:
            process.kill()
            process.wait()


def _loopback() -> str:
    """Name of the loopback network interface."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(a.family == socket.AF_INET and ip_address(a.address).is_loopback for a in addresses):
            return name
    raise RuntimeError("this machine has no loopback interface with an IPv4 address")
