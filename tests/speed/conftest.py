"""One thread, and shared backbones."""

import pytest

from recsys.speed.model_source import model_source
from tests.backbones import bert, gpt, minilm, one_thread  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def bert_source(bert):  # noqa: F811 - the fixture
    return model_source(bert)
