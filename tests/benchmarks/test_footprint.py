import pytest

from recsys.benchmarks.footprint import footprint
from recsys.encoders.backbone import load_backbone


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    load_backbone("random-bert").save(place)
    return place


def test_memory_grows_from_interpreter_to_encoder(folder, tmp_path):
    found = footprint(folder, "packed-fp32", ["red shoe"], cache=tmp_path)
    assert 5 < found.bare < found.runtime < found.loaded
    assert found.above_runtime == found.loaded - found.runtime


def test_what_the_process_said_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("recsys.benchmarks.footprint.TORCH", ("no_such_module",))
    with pytest.raises(RuntimeError, match=r"packed-fp32: .*No module named 'no_such_module'"):
        footprint(folder, "packed-fp32", ["red shoe"], cache=tmp_path)
