"""A new model, baseline, data set, labelled set, method or variant is one file and one registry line."""

import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from recsys.baselines import candidates
from recsys.code.registry import Registry
from recsys.data import families
from recsys.data.labelled.dataset import load_labelled
from recsys.data.load import load_dataset
from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft import methods
from recsys.encoders.peft import registry as peft_registry
from recsys.models.next_item import comparison, model_settings
from recsys.models.next_item import registry as model_registry
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.model_settings import ModelSettings

MODEL = """
import numpy as np
from recsys.models.next_item.model_settings import ModelEntry

class Newest:
    def fit(self, train, n_users, n_items):
        self.n_items = n_items
        return self

    def score(self, users):
        return np.tile(np.arange(self.n_items, dtype=np.float32), (len(users), 1))

ENTRY = ModelEntry(lambda data, settings: Newest())
"""
BASELINE = """
from recsys.baselines.candidates import TunedBaseline
from recsys.baselines.ease import EASE
from recsys.training.hyperparameter_search.spaces import Real

class Ridge(EASE):
    pass

TUNED = TunedBaseline(Ridge, {"l2": 10.0}, {"l2": Real(1.0, 100.0, log=True)})
"""
LOG = """
import pandas as pd
from recsys.data import sources
from recsys.data.families import Family
from recsys.data.tables import Dataset, place_in_history

def load(source):
    rows = [line.split("|") for line in
            sources.local_file(source.name, source.files[0].name).read_text().splitlines()]
    events = pd.DataFrame([(int(user), int(item)) for user, item in rows], columns=["user", "item"])
    events = events.assign(kind="purchase").sort_values("user", kind="stable", ignore_index=True)
    events["order"] = place_in_history(events["user"])
    items, users = (pd.DataFrame({one: range(events[one].max() + 1)}).assign(source_id=lambda t: t.iloc[:, 0])
                    for one in ("item", "user"))
    return Dataset(source.name, items, users, events)

FAMILY = Family(load, ("bars",))
"""
LABELLED = """
import pandas as pd
from recsys.data.families import Family
from recsys.data.labelled.dataset import LabelledTexts

def load(source):
    return LabelledTexts(source.name, pd.DataFrame({"text": ["good", "bad"], "label": [1, 0]}), ["no", "yes"])

FAMILY = Family(load, ("reviews",))
"""
METHOD = """
def only_norms(backbone, name, options):
    for label, parameter in backbone.named_parameters():
        parameter.requires_grad_("LayerNorm" in label)
"""
VARIANT = """
def build(backbone, folder, texts):
    (folder / "built").write_text("")

def load(folder, words):
    return lambda texts: len(texts)
"""


@pytest.fixture
def new_file(tmp_path, monkeypatch):
    """Function: a module of this source in a temporary folder; returns its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


@pytest.fixture
def line(monkeypatch):
    """Function: the registry with one more line, wherever it is named."""

    def add(registry: Registry, name: str, target: str) -> Registry:
        monkeypatch.setitem(registry._entries, name, target)
        return registry

    return add


@pytest.fixture
def circle(tmp_path, monkeypatch, new_file, line):
    """A data set of a new family: sixty users walk round twelve items."""
    line(families.LOGS, "bars", f"{new_file('bars_family', LOG)}:FAMILY")
    rows = [f"{user}|{(user + step) % 12}" for user in range(60) for step in range(6)]
    (tmp_path / "log.txt").write_text("\n".join(rows))
    entries = {
        "circle": {"family": "bars", "files": [{"name": "log.txt", "path": str(tmp_path / "log.txt")}]},
        "opinions": {"family": "opinions", "files": [{"name": "o.txt", "path": str(tmp_path / "log.txt")}]},
    }
    line(families.LABELLED, "opinions", f"{new_file('opinions_family', LABELLED)}:FAMILY")
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(entries))
    monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    return "circle"


def test_a_log_and_a_labelled_set(circle):
    assert load_dataset(circle).n_users == 60
    assert load_labelled("opinions").labels == ["no", "yes"]


def test_a_model(circle, new_file, line):
    line(model_registry.MODELS, "newest", f"{new_file('newest_model', MODEL)}:ENTRY")
    fitted = comparison.fit("newest", load_next_item(circle), ModelSettings())
    assert fitted.model.score([0, 1]).shape == (2, 12)
    said = {"seed": 0, "trials": 1, "judged_users": 0}
    with pytest.raises(ValueError, match="newest does not take layers=2: it takes none of these"):
        model_settings.model_settings("newest", **said, layers=2)


def test_a_baseline(circle, new_file, line):
    line(candidates.BASELINES, "ridge", f"{new_file('ridge_baseline', BASELINE)}:TUNED")
    fitted = comparison.fit("ridge", load_next_item(circle), ModelSettings(trials=2))
    assert isinstance(fitted.trials, pd.DataFrame)
    assert len(fitted.trials) == 2


def test_a_method_of_tuning(new_file, monkeypatch):
    target = f"{new_file('norms_method', METHOD)}:only_norms"
    entry = replace(peft_registry.METHODS["bitfit"], name="norms", applied_by=target)
    monkeypatch.setitem(peft_registry.METHODS, "norms", entry)
    backbone = load_backbone("random-bert")
    counts = methods.apply_method(backbone, "norms")
    assert 0 < counts["trainable"] < 0.1 * counts["total"]
    assert peft_registry.usual_rate("norms") == entry.rate


def test_a_variant(new_file, monkeypatch, tmp_path):
    from recsys.speed.variant import Variant
    from recsys.speed.variants import VARIANTS

    name = new_file("counting_variant", VARIANT)
    variant = Variant("counting", "counts", "fp32", f"{name}:build", f"{name}:load")
    monkeypatch.setitem(VARIANTS, "counting", variant)
    VARIANTS["counting"].build(None, tmp_path, [])
    assert VARIANTS["counting"].load(tmp_path, None)(["a", "b"]) == 2


def test_the_registries_import_none_of_their_entries():
    modules = "recsys.models.next_item.registry, recsys.baselines.candidates, recsys.data.families"
    modules += ", recsys.encoders.peft.registry, recsys.speed.variants"
    entries = ("recsys.models.next_item.text", "recsys.baselines.ease", "recsys.data.logs", "torch", "peft")
    program = f"import sys, {modules}; print([m for m in sys.modules if m.startswith({entries})])"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_every_line_leads_to_an_object():
    for registry in (model_registry.MODELS, candidates.BASELINES, families.LOGS, families.LABELLED):
        assert all(registry.load(name) is not None for name in registry)
