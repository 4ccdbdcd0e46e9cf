"""One thread, and small tasks in the place of real ones."""

import pytest

from recsys.data.labelled.dataset import LabelledTexts
from recsys.models.labelled import task as labelled_task
from tests.backbones import bert, one_thread  # noqa: F401 - fixtures


@pytest.fixture
def small_task(monkeypatch):
    """Function: `load_task` of a small set instead of a real one."""

    def load(data: LabelledTexts, **options):
        monkeypatch.setattr(labelled_task, "load_labelled", lambda _: data)
        return labelled_task.load_task(data.name, **options)

    return load
