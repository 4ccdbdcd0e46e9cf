"""A registry of data sets that is wrong: each fault is named, with the nearest right word."""

import pytest

from recsys.data import sources
from recsys.data.errors import RegistryError
from tests.data.test_sources import refused


def test_unknown_names_are_answered_with_the_nearest():
    assert "did you mean 'beauty'" in refused(RegistryError, sources.get, "beuaty")
    assert "did you mean 'Beauty.txt'" in refused(RegistryError, sources.local_file, "beauty", "Beuaty.txt")
    sources.ensure("demo_store")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"family": "s3rek"}, "did you mean 's3rec'"),
        ({"famly": "s3rec"}, "did you mean 'family'"),
        ({"files": []}, "at least one file"),
        ({"files": [{"url": "http://x/y"}]}, "name missing"),
        ({"files": [{"name": "a", "sha265": "x"}]}, "did you mean 'sha256'"),
        ({"files": [{"name": "a", "sha256": "abc"}]}, "64 hexadecimal digits"),
        ({"files": [{"name": "a", "url": "ftp://x/y"}]}, "no http"),
        ({"files": [{"name": "a", "path": "../a"}]}, "climb out"),
        ({"files": [{"name": "a/b"}]}, "plain file name"),
        ({"files": [{"name": "a", "role": "title"}]}, "did you mean 'titles'"),
        ({"files": [{"name": "a", "size": "big"}]}, "number of bytes"),
        ({"files": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"files": [{"name": "a"}, {"name": "b"}]}, "same role"),
        ({"files": [{"name": "a", "role": "titles"}]}, "no file has the role 'sequences'"),
        ({"files": [{"name": "a"}, {"name": "b", "role": "titles"}]}, "titles need both roles"),
        ({"files": [{"name": "a", "path": "s3rec/Beauty.txt"}]}, "both claim s3rec/Beauty.txt"),
        ({"files": "a"}, "must be a list"),
        ({"files": ["a"]}, "must be a mapping"),
        ({"files": [{"name": "a", "url": 5}]}, "urls must be a list of addresses, not 5"),
        ({"files": [{"name": "a", "urls": {"http://x": 1}}]}, "urls must be a list"),
        ({"files": [{"name": "a", "urls": [5]}]}, "5 is no http(s) URL"),
        ({"files": [{"name": "a", "url": "http://x", "urls": ["http://y"]}]}, "either url or urls"),
        ({"files": [{"name": "a", "size": True}]}, "size must be a number of bytes"),
        ({"files": [{"name": "a\0b"}]}, "must be printable"),
        ({"files": [{"name": "a", "path": "x\ny"}]}, "must be printable"),
        ({"family": ["s3rec"]}, "no family"),
        ({"options": []}, "options must be a mapping"),
        ({"name": "demo_store"}, "is taken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_registry_entries_are_named(register, fields, message):
    register(**fields)
    assert message in refused(RegistryError, sources.all_sources)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("small: {family: s3rec, files: [{name: a}], family: table}", "the key 'family' stands twice"),
        ("small:\n  files: [{name: a, path: b, name: c}]\n", "line 2"),
        ("small: {files: []}\nother: {}\nsmall: {}\n", "the key 'small' stands twice"),
        ("a: " + "[" * 5000, 'nested too deeply in "<unicode string>", line 1'),
        ("a: &a [*a]\n", "must be a mapping of fields"),
        ("a: !!python/object/apply:os.system [id]", "is not YAML"),
    ],
)
def test_a_registry_file_that_says_a_thing_twice_or_without_end(tmp_path, monkeypatch, content, message):
    (tmp_path / "sources.yaml").write_text(content)
    monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
    assert message in refused(RegistryError, sources.all_sources)


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "just text"])
def test_registry_file_that_is_none(tmp_path, monkeypatch, content):
    monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "none.yaml"))
    assert "cannot read" in refused(RegistryError, sources.all_sources)
    (tmp_path / "none.yaml").write_text(content)
    refused(RegistryError, sources.all_sources)
