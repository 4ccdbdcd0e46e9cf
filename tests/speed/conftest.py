"""Loaded once for all tests of the folder: none of them changes these."""

import pytest
import torch

from recsys.encoders.backbone import load_backbone
from recsys.speed.model_source import model_source


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def minilm():
    return load_backbone("minilm")


@pytest.fixture(scope="session")
def bert():
    return load_backbone("random-bert")


@pytest.fixture(scope="session")
def gpt():
    return load_backbone("random-gpt")


@pytest.fixture(scope="session")
def bert_source(bert):
    return model_source(bert)
