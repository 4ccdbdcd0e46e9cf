"""Registries import an entry when it is asked for, and say what was asked for."""

import sys

import pytest

from recsys.code.registry import Registry, RegistryError, loaded

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
