"""Registries import an entry when it is asked for, and say what was asked for."""

import importlib
import re
import sys

import pytest

from recsys.code.definitions import read_module
from recsys.code.registry import Registry, RegistryError, loaded
from tests.conftest import ROOT

COLOURS = Registry("colour", {"json": "json.tool:main", "plain": "string:capwords", "gone": "string:nothing"})


def test_an_entry_is_imported_only_when_asked_for():
    sys.modules.pop("json.tool", None)
    assert list(COLOURS) == ["json", "plain", "gone"]
    assert "json.tool" not in sys.modules
    assert callable(COLOURS.load("json"))
    assert "json.tool" in sys.modules


def test_what_was_loaded_is_remembered():
    assert COLOURS.load("plain")("two words") == "Two Words"
    assert "colour/plain" in loaded()
    assert "colour/gone" not in loaded()


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(RegistryError, match="no colour 'plian'; did you mean 'plain'"):
        COLOURS.load("plian")


def test_a_target_that_does_not_exist_is_named():
    with pytest.raises(RegistryError, match="'gone': string has no 'nothing'"):
        COLOURS.load("gone")


def registries():
    """Every registry that stands at the level of a module of this package."""
    for path in sorted((ROOT / "recsys").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "Registry(" in source and path.parent.name != "code":
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for attribute, value in vars(importlib.import_module(name)).items():
                if isinstance(value, Registry) and re.search(
                    rf"^{attribute}\b.*Registry\(", source, re.MULTILINE
                ):
                    yield name, attribute, value, source


def test_lines_are_plain_texts_and_their_targets_exist():
    """A line that is put together, by an f-string say, could not be followed to what a run depends on."""
    found = list(registries())
    assert len(found) >= 5
    for module, attribute, registry, source in found:
        definitions = read_module(module, source).definitions
        lines = {name for name in definitions if name.startswith(f"{attribute}[")}
        if "**" in source.partition(f"{attribute} = Registry(")[2].partition("\n")[0]:
            continue  # joined for their names: what is loaded is loaded from the registries themselves
        assert lines == {f"{attribute}[{name}]" for name in registry}, f"{module}.{attribute}"
        for name in registry:
            assert registry.load(name) is not None


def test_no_two_registries_have_one_kind():
    kinds = [registry.what for _, _, registry, _ in registries()]
    assert len(set(kinds)) == len(kinds)
