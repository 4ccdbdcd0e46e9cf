"""Train a small model in as many processes as the launcher starts, and write down how it went.

accelerate launch --multi_gpu --num_processes 2 --num_machines 1 -m tests.training.two_processes FILE
"""

import json
import os
import sys
from pathlib import Path

import torch

from recsys.training import train
from tests.training.cases import Rows, accuracy, class_loss, classifier, settings

SETTINGS = {"epochs": 3, "batch_size": 16, "accumulation": 2}


def trained() -> dict:
    # 97 samples, 32 a step: the last has a single one, of which only one process can have a share
    samples = Rows(97)
    told = settings(**SETTINGS, evaluate_every=3)
    result = train(classifier(), samples, class_loss, told, evaluate=accuracy(samples), progress=False)
    history = result.history.fillna({"metric": -1.0})
    weights = torch.cat([p.detach().flatten() for p in result.model.parameters()])
    return {
        "processes": torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1,
        "weights": weights.tolist(),
        **{name: history[name].tolist() for name in ("loss", "samples", "tokens", "metric")},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    outcome = trained()
    if os.environ.get("RANK", "0") == "0":
        Path(sys.argv[1]).write_text(json.dumps(outcome))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
