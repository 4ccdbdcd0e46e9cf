"""Layers in several processes give the vectors of one, and each process holds its own layers only."""

from ipaddress import ip_address
from itertools import pairwise

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.benchmarks.resources.model_parallel import run_pipeline, stage_of
from recsys.benchmarks.resources.pipeline_process import Stage
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.tokens import tokenise
from tests.shop_texts import QUERIES, TITLES

TEXTS = (QUERIES + TITLES) * 3


@given(st.sampled_from(["bert", "gpt"]), st.data())
@settings(max_examples=12, deadline=None)
def test_stages_in_a_row_are_the_whole(backbones, name, data):
    backbone = backbones[name]
    ends = [0, *sorted(data.draw(st.sets(st.integers(1, 3), max_size=3))), 4]
    ids, mask = tokenise(backbone, QUERIES).take(range(len(QUERIES)))  # of several lengths: with padding
    hidden = None
    for start, stop in pairwise(ends):
        stage = Stage(stage_of(backbone, start, stop), first=start == 0, last=stop == 4)
        hidden = stage(ids, mask, hidden)
    with torch.inference_mode():
        assert torch.allclose(hidden, backbone(ids, mask), atol=1e-6)


@pytest.fixture(scope="module")
def backbones(bert, gpt):
    """Of four layers, all different: a stage that ran in another's place would be seen."""
    found = {}
    for name, backbone in (("bert", bert), ("gpt", gpt)):
        deeper = stage_of(backbone, 0, 2)
        path = {"bert": "encoder.layer", "gpt": "h"}[name]
        layers = deeper.model.get_submodule(path)
        layers.extend(stage_of(load_backbone(f"random-{name}", seed=5), 0, 2).model.get_submodule(path))
        deeper.model.config.num_hidden_layers = 4
        found[name] = deeper
    return found


def test_two_processes_equal_one(bert):
    run = run_pipeline(bert, TEXTS, [1], token_budget=256, rounds=2, one_by_one=3)
    assert np.abs(run.vectors - embed_texts(bert, TEXTS, precision="fp32")).max() < 2e-6
    assert run.seconds.shape == (2,)
    assert (run.seconds > 0).all()
    assert run.latency.shape == (3,)
    assert (run.latency > 0).all()
    stages = run.stages
    assert stages["layers"].tolist() == [1, 1]
    whole = sum(parameter.nbytes for parameter in bert.parameters())
    words = bert.model.get_input_embeddings().weight.nbytes
    assert stages["weight_bytes"][1] < whole - words
    assert stages["weight_bytes"][0] < whole
    lengths = tokenise(bert, TEXTS).lengths
    assert stages["sent_bytes"][0] >= 4 * bert.width * lengths.sum()  # padding goes with them
    assert stages["sent_bytes"][1] == 0
    assert stages["waited"][0] == 0
    assert 0 < run.bubble < 1
    addresses = {address for row in stages["addresses"] for address in row}
    assert addresses
    assert all(ip_address(address).is_loopback for address in addresses)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """In the place of Python: process 0 does as it is told, process 1 waits for ever."""

    def plant(command):
        script = tmp_path / "python"
        told = f'echo $$ >> {tmp_path}/pids\n[ "$4" = 1 ] && exec sleep 600\n{command}'
        script.write_text(f"#!/bin/sh\n{told}\n")
        script.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(script))
        return tmp_path / "pids"

    return plant


def test_a_process_that_fails_ends_the_others(bert, planted):
    pids = planted("sleep 0.5; echo planted; exit 3")
    with pytest.raises(RuntimeError, match=r"(?s)process 0 of 2 failed.*planted"):
        run_pipeline(bert, TEXTS, [1])
    assert not any(psutil.pid_exists(int(pid)) for pid in pids.read_text().split())


def test_what_takes_too_long_is_ended(bert, planted):
    pids = planted("exec sleep 600")
    with pytest.raises(TimeoutError, match="not done within 3 s"):
        run_pipeline(bert, TEXTS, [1], timeout=3)
    assert not any(psutil.pid_exists(int(pid)) for pid in pids.read_text().split())


@pytest.mark.parametrize("splits", [[0], [2], [1, 1], [-1]])
def test_splits_lie_between_layers(bert, splits):
    with pytest.raises(ValueError, match="rising splits"):
        run_pipeline(bert, TEXTS, splits)
    with pytest.raises(ValueError, match="at least 1"):
        run_pipeline(bert, TEXTS, rounds=0)
    with pytest.raises(ValueError, match=f"from 0 to the {len(TEXTS)} texts"):
        run_pipeline(bert, TEXTS, one_by_one=len(TEXTS) + 1)


def test_a_stage_leaves_the_backbone_alone(bert):
    before = {name: tensor.clone() for name, tensor in bert.state_dict().items()}
    config = bert.model.config.to_dict()
    stage_of(bert, 1, 2)
    assert bert.model.config.to_dict() == config
    assert all(torch.equal(before[name], tensor) for name, tensor in bert.state_dict().items())
