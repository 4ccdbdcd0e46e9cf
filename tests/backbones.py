"""Backbones loaded once for all tests of a folder whose conftest imports them: no test changes these."""

import pytest
import torch

from recsys.encoders.backbone import load_backbone


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
