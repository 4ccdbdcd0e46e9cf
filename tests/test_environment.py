"""pyproject.toml, requirements.lock and environment.yml name the same versions."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata, version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import ROOT


def lines_of(name):
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


LOCK_LINES, EXTRA_LINES = lines_of("requirements.lock"), lines_of("requirements-extras.lock")
PINS = [
    {canonicalize_name(name): pinned for name, _, pinned in (line.partition("==") for line in lines)}
    for lines in (LOCK_LINES, EXTRA_LINES)
]
LOCK, EXTRAS = PINS
OPTIONAL = ("multilingual", "generative", "pictures", "streaming")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]]


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda r: r.name)
def test_every_requirement_is_bounded_by_the_locked_version(requirement):
    bounds = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
    assert bounds == [Version(LOCK[canonicalize_name(requirement.name)])]


@pytest.mark.parametrize("extra", OPTIONAL)
def test_every_extra_is_bounded_by_its_locked_version(extra):
    for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
        bounds = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
        assert bounds == [Version(EXTRAS[canonicalize_name(requirement.name)])]


def test_no_package_stands_in_both_locks():
    assert LOCK.keys() & EXTRAS.keys() == set()


def test_lock_holds_exact_versions_and_no_address():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+-]+", line) for line in LOCK_LINES + EXTRA_LINES)


def test_conda_installs_the_lock():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.lock", "-e ."]
    python = next(entry for entry in conda["dependencies"] if str(entry).startswith("python="))
    assert Version(python.partition("=")[2]) >= Version(PROJECT["requires-python"].removeprefix(">="))


@pytest.mark.parametrize("name", sorted(LOCK | EXTRAS))
def test_what_is_installed_is_what_is_locked(name):
    assert Version(version(name)).public == Version((LOCK | EXTRAS)[name]).public


@pytest.mark.parametrize("name", sorted(LOCK | EXTRAS))
def test_it_installs_on_the_first_release_of_the_oldest_python(name):
    """Debian 12 has Python 3.11.2: a package that asks for 3.11.5 would stop `make` there."""
    first = Version(PROJECT["requires-python"].removeprefix(">=") + ".0")
    assert first in SpecifierSet(metadata(name).get("Requires-Python") or "")


def test_no_process_builds_the_parser_of_internationalised_addresses():
    """jsonschema from 4.25 on does, when Jupyter or any process of Ray imports it: for seconds."""
    asked = "import nbformat, ray, sys; print({'lark', 'rfc3987_syntax'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "set()\n"
