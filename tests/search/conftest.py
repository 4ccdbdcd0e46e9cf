"""One thread, and shared backbones."""

from tests.backbones import bert, gpt, minilm, one_thread  # noqa: F401 - fixtures
from tests.data.conftest import real_data  # noqa: F401 - a fixture
from tests.speed.conftest import bert_source  # noqa: F401 - a fixture
