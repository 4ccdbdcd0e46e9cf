"""One thread, and shared backbones."""

from tests.backbones import bert, gpt, minilm, one_thread  # noqa: F401 - fixtures
