import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.runs.grid.notebook_cells import Cell, read_cells
from recsys.runs.grid.parameters import ParameterError, read_parameters, reassigned, resolve
from tests.conftest import write_notebook

CELL = """\
rank: int = 8  # rank of the update
learning_rate: float = 1e-3  # step size
optimizer: Literal["adamw", "adafactor"] = "adamw"
layers: list[int] = [1, 2]
note: str | None = None  # 备注
rates: list[float] = [0.1]
fast: bool = False"""


def notebook(parameters: str, *cells: str) -> list[Cell]:
    tagged = Cell(1, "code", parameters, ("parameters",))
    return [tagged, *(Cell(number, "code", source) for number, source in enumerate(cells, start=2))]


@pytest.fixture
def declared():
    return read_parameters(notebook(CELL), "n.ipynb")


def test_declaration_is_read(declared):
    assert {name: p.default for name, p in declared.items()} == {
        "rank": 8,
        "learning_rate": 1e-3,
        "optimizer": "adamw",
        "layers": [1, 2],
        "note": None,
        "rates": [0.1],
        "fast": False,
    }
    assert declared["rank"].meaning == "rank of the update"
    assert declared["note"].meaning == "备注"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("rank=16", 16),
        ("learning_rate=1", 1.0),
        ("learning_rate=1e-5", 1e-5),
        ("optimizer=adafactor", "adafactor"),
        ("layers=[3]", [3]),
        ("note=8", "8"),
        ("note=None", None),
        ("fast=true", True),
        ("fast=True", True),
    ],
)
def test_command_line_values_are_typed(declared, text, value):
    name, _, given_ = text.partition("=")
    got = resolve(declared, {name: given_}, "-p", as_text=True)[name]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learnig_rate=1", r"no parameter 'learnig_rate'; did you mean 'learning_rate' \(float\)"),
        ("rank=eight", "'rank' expects int, got 'eight'"),
        ("rank=8.5", "'rank' expects int, got 8.5"),
        ("rank=true", "'rank' expects int"),
        ("fast=1", "'fast' expects bool"),
        ("optimizer=sgd", "'optimizer' expects one of 'adamw', 'adafactor', got 'sgd'"),
        ("layers=3", r"'layers' expects list\[int\]"),
        ("learning_rate=NaN", "finite"),
        ("rates=[NaN]", "finite"),
        ("zzz=1", "it has rank"),
    ],
)
def test_wrong_values_are_refused_by_name(declared, text, message):
    name, _, given_ = text.partition("=")
    with pytest.raises(ParameterError, match=message):
        resolve(declared, {name: given_}, "-p", as_text=True)


@pytest.mark.parametrize(
    "cell",
    [
        "rank = 8",
        "rank: int = 8\ndouble: int = rank * 2",
        "rank: int = 8.5",
        "import os",
        "x: dict = {}",
        "rank: int =",
    ],
)
def test_a_parameters_cell_holds_annotated_literals_only(cell):
    with pytest.raises(ParameterError):
        read_parameters(notebook(cell), "n.ipynb")


def test_exactly_one_tagged_cell(tmp_path):
    cells = read_cells(write_notebook(tmp_path / "n.ipynb", "rank: int = 8"))
    assert read_parameters(cells, "n.ipynb")["rank"].default == 8
    with pytest.raises(ParameterError, match="exactly one"):
        read_parameters(cells * 2, "n.ipynb")


@pytest.mark.parametrize(
    "code",
    [
        "rank = 4",
        "rank += 1",
        "for rank in range(3): pass",
        "if (rank := 3): pass",
        "import rank",
        "import x as rank",
        "with open('f') as rank: pass",
        "[a, *rank] = [1, 2]",
        "del rank",
        "def rank(): pass",
        "async def rank(): pass",
        "match 1:\n    case rank: pass",
        "%%time\nrank = 4",
        "%time rank = 4\nrank = 5",
    ],
)
def test_a_second_binding_is_seen(code):
    found = reassigned(notebook("rank: int = 8", "print(rank)", code), {"rank"})
    assert found
    assert found[0].startswith("cell 3")


@given(st.sampled_from(["print(rank)", "x = rank + 1", "f(rank=3)", "d['rank'] = 1", "o.rank = 2"]))
def test_uses_are_no_bindings(code):
    assert reassigned(notebook("rank: int = 8", code), {"rank"}) == []


@given(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
def test_typed_values_pass_unchanged(rank, learning_rate):
    declared = read_parameters(notebook(CELL), "n.ipynb")
    asked = {"rank": rank, "learning_rate": learning_rate}
    assert resolve(declared, asked, "grid") == asked
