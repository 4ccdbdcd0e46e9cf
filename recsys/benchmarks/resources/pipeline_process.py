"""One process of the pipeline of `recsys.benchmarks.resources.model_parallel`.

Started as `python -m recsys.benchmarks.resources.pipeline_process FOLDER RANK`. Sockets are gloo's, on the
loopback interface only; the processes find each other through a file.

B: texts of a micro-batch. T: tokens of its longest text. D: width.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import psutil
import torch
import torch.distributed as dist
from torch import Tensor

from recsys.encoders.backbone import Backbone, load_backbone, transformer_layers
from recsys.encoders.tokens import Tokens

IN_FLIGHT = 2  # most micro-batches that are sent but not yet received: bounds the sender's memory
PLAN, REPORT, VECTORS = "plan.npz", "report{}.json", "vectors.npy"
CLOCKS = ("seconds", "latency")  # fields of the report that are taken from the first process


class Stage:
    """Consecutive layers of a backbone, run by the model's own code (masks, positions, norms).

    Args:
        backbone: from `stage_of`, or the whole model; hooks are added to it.
        first, last: whether this is the first or last stage of the pipeline.
    """

    def __init__(self, backbone: Backbone, first: bool, last: bool):
        _, layers = transformer_layers(backbone.model)
        self.backbone, self.first, self.last = backbone, first, last
        self._received = self._sent = None
        if not first:
            layers[0].register_forward_pre_hook(self._put, with_kwargs=True)
        if not last:
            layers[-1].register_forward_hook(self._take)

    def __call__(self, ids: Tensor, mask: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Ids and mask [B, T], hidden states [B, T, D] of the stage before (None for the first) -> hidden
        states for the next, or pooled vectors [B, D] from the last."""
        self._received = hidden
        with torch.inference_mode():
            pooled = self.backbone(ids if self.first else torch.zeros_like(ids), mask)
        return pooled if self.last else self._sent

    def _put(self, module, args, kwargs):
        if args:
            return (self._received, *args[1:]), kwargs
        return args, kwargs | {"hidden_states": self._received}

    def _take(self, module, args, output):
        self._sent = (output[0] if isinstance(output, tuple) else output).contiguous()


def main(folder: Path, rank: int) -> None:
    """Run this process: load the stage, encode all rounds, and write the report."""
    plan = np.load(folder / PLAN)
    world, rounds, one_by_one, threads, timeout = plan["settings"].tolist()
    torch.set_num_threads(threads)
    dist.init_process_group(
        "gloo",
        store=dist.FileStore(str(folder / "store"), world),
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=timeout),
    )
    dist.barrier()  # connects all pairs
    addresses = sorted({c.laddr.ip for c in psutil.Process().net_connections(kind="inet")})
    if not all(ip_address(address).is_loopback for address in addresses):
        raise RuntimeError(f"sockets must be on the loopback interface only, not on {addresses}")
    before = psutil.Process().memory_info().rss
    stage = Stage(load_backbone(str(folder / f"stage{rank}")), rank == 0, rank == world - 1)
    tokens = Tokens(plan["ids"], plan["offsets"], int(plan["pad"]), "left" if plan["left"] else "right")
    batches = np.split(plan["rows"], np.cumsum(plan["sizes"])[:-1])
    vectors = np.empty((len(tokens), stage.backbone.width), np.float32)
    found = [_round(stage, rank, tokens, batches, vectors) for _ in range(1 + rounds)][1:]
    wall, cpu, waited, sent = np.array(found).T
    latency = [_round(stage, rank, tokens, [np.array([row])], vectors)[0] for row in range(one_by_one)]
    parameters = list(stage.backbone.parameters())
    report = {
        "layers": len(transformer_layers(stage.backbone.model)[1]),
        "weight_bytes": sum(parameter.nbytes for parameter in parameters),
        "resident_bytes": psutil.Process().memory_info().rss - before,
        "cpu": float(np.median(cpu)),
        "waited": float(np.median(waited)),
        "sent_bytes": int(sent[0]),
        "addresses": addresses,
        **dict(zip(CLOCKS, (wall.tolist(), latency), strict=True)),
    }
    (folder / REPORT.format(rank)).write_text(json.dumps(report))
    if stage.last:
        np.save(folder / VECTORS, vectors)
    dist.barrier()
    dist.destroy_process_group()


def _round(
    stage: Stage, rank: int, tokens: Tokens, batches: list[np.ndarray], vectors: np.ndarray
) -> tuple[float, float, float, float]:
    """Encode all texts once; returns wall time, computing time, waiting time (seconds), and bytes sent."""
    dist.barrier()
    start, computing, waited, sent = time.perf_counter(), time.process_time(), 0.0, 0
    in_flight: deque = deque()
    for batch in batches:
        ids, mask = tokens.take(batch)
        hidden = None
        if not stage.first:
            hidden = torch.empty(*ids.shape, stage.backbone.width)
            asked = time.perf_counter()
            dist.recv(hidden, rank - 1)
            waited += time.perf_counter() - asked
        found = stage(ids, mask, hidden)
        if stage.last:
            vectors[batch] = found.numpy()
            continue
        in_flight.append((dist.isend(found, rank + 1), found))  # keeps the tensor until it is sent
        sent += found.nbytes
        if len(in_flight) > IN_FLIGHT:
            in_flight.popleft()[0].wait()
    for request, _ in in_flight:
        request.wait()
    dist.barrier()
    return time.perf_counter() - start, time.process_time() - computing, waited, sent


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
