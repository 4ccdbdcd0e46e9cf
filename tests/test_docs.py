"""The documents: links lead somewhere, commands exist with their options, and the worked examples work."""

import re
import shlex
import shutil
import sys

import pytest
import typer.main
import yaml

from recsys.cli import app
from recsys.data.load import load_dataset
from recsys.models.next_item import comparison
from recsys.models.next_item import registry as model_registry
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.model_settings import ModelSettings
from recsys.runs.evidence.claims import load_claims
from recsys.runs.grid.experiment import load_experiments
from tests.conftest import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted(p for p in (ROOT / "docs").glob("*.md") if p.name != "findings.template.md")
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
COMMAND = re.compile(r"^(?: {4}|.*?`)(?:\.venv/bin/)?(recsys [^`#\n]*)", re.MULTILINE)
EXTENDING = TEXTS["docs/extending.md"]


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name):
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if re.match(r"(https?|mailto):", target):
            continue
        path, _, anchor = target.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        if not page.exists() or (
            anchor and page.suffix == ".md" and anchor not in anchors(page.read_text("utf-8"))
        ):
            dead.append(target)
    assert dead == []


def commands():
    for name, text in TEXTS.items():
        for match in COMMAND.finditer(text):
            for call in re.findall(r"recsys [^,;|&()]*", match[1]):
                yield pytest.param(call.strip(), id=f"{name}: {call.strip()}")


@pytest.mark.parametrize("call", commands())
def test_every_command_exists_with_its_options(call):
    words = shlex.split(call)[1:]
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in (*command.commands, "--help"), call
        if words[0] == "--help":
            return
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, call
    for word in words:
        if re.fullmatch(r"\d\d_[a-z0-9_]+", word):
            assert word in load_experiments(ROOT / "experiments"), call


def test_the_readme_is_short_and_names_every_notebook():
    assert len(TEXTS["README.md"].encode()) <= 8192
    named = set(re.findall(r"`(\d\d_\w+)`", TEXTS["README.md"]))
    assert named == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_code_md_names_every_room_and_only_folders_that_exist():
    text = TEXTS["docs/code.md"]
    rooms = {path.parent.name for path in (ROOT / "recsys").glob("*/__init__.py")}
    rows = dict(re.findall(r"^\| `recsys/(\w+)` \| (.*) \|$", text, re.MULTILINE))
    assert set(rows) == rooms
    for room, job in rows.items():
        folders = {path.parent.name for path in (ROOT / "recsys" / room).glob("*/__init__.py")}
        folders |= {path.parent.name for path in (ROOT / "recsys" / room).glob("*/*/__init__.py")}
        assert set(re.findall(r"`(\w+)/`", job)) <= folders, room


def block(language, holding):
    """The one fenced block of this language in docs/extending.md that holds a text."""
    found = [b for b in re.findall(rf"```{language}\n(.*?)```", EXTENDING, re.DOTALL) if holding in b]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The data set of docs/extending.md, with a file of the form that its YAML describes."""
    lines = ["customer;sku;ordered_at;action"]
    for user in range(40):
        for step in range(8):
            what = ("bought", "seen", "liked")[step % 3]
            lines.append(f"k{user};s{(user + step) % 12};{1 + step:02}/{1 + user % 12:02}/2024 10:30;{what}")
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n", encoding="latin-1")
    products = ["sku,name,department", *(f"s{item},Tasse {item},Küche" for item in range(12))]
    (tmp_path / "products.csv").write_text("\n".join(products) + "\n", encoding="utf-8")
    text = block("yaml", "my_shop:").replace("/data/", f"{tmp_path}/")
    (tmp_path / "sources.yaml").write_text(text)
    monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    return "my_shop"


def test_the_example_of_a_data_set(shop):
    data = load_dataset(shop)
    assert (data.n_users, data.n_items) == (40, 12)
    assert set(data.events["kind"]) == {"purchase", "click"}
    assert data.items["title"].str.startswith("Tasse").all()
    assert sum(data.cleaning.values()) >= 80  # "liked": left out, and counted


def test_the_example_of_a_model(shop, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "markov_chain", raising=False)
    (tmp_path / "markov_chain.py").write_text(block("python", "class MarkovChain"))
    monkeypatch.setitem(model_registry.MODELS._entries, "markov_chain", "markov_chain:ENTRY")
    data = load_next_item(shop)
    model = comparison.fit("markov_chain", data, ModelSettings()).model
    scores = model.score([0, 1])
    assert scores.shape == (2, 12)
    newest = data.train[data.train["user"] == 0].sort_values(["time", "order"])["item"].iloc[-1]
    after = data.train.sort_values(["user", "time", "order"])
    follows = after["user"].eq(after["user"].shift()) & after["item"].shift().eq(newest)
    expected = after.loc[follows, "item"].value_counts()
    assert scores[0].argmax() in expected[expected == expected.max()].index
    assert scores[0].max() == expected.max()


def test_the_example_of_a_claim(tmp_path):
    folder = tmp_path / "claims"
    shutil.copytree(ROOT / "experiments" / "claims", folder)
    claim = yaml.safe_load(block("yaml", "order-matters"))[0]
    file = folder / f"{claim['experiment']}.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("claims:\n", "claims:\n" + block("yaml", "order-matters"), 1), encoding="utf-8"
    )
    articles = folder / "articles.yaml"
    text = articles.read_text(encoding="utf-8")
    start = text.index(f"{claim['file']}:")
    section = f'"{claim["section"]}": ['
    place = text.index(section, start) + len(section)
    articles.write_text(f"{text[:place]}{claim['id']}, {text[place:]}", encoding="utf-8")
    added = load_claims(folder).by_id[claim["id"]]
    assert added.testable
    assert added.kind == "gain"
