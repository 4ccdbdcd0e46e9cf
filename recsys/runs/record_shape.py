"""Schema of a complete record.json, format 2; a file that lacks a field is not read as a record.

Disks fill up, and files are merged by hand or copied incompletely: without this check, a missing field would
show up as a KeyError somewhere in a report. Names that become paths must stay inside a folder.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

FileName = Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]*$")]


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time needs its zone, such as Z")
    return text


class _Whole(BaseModel):
    # Fields may be added without a new format; numbers are finite.
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class _Notebook(_Whole):
    path: str
    sha256: str


class _Code(_Whole):
    commit: str | None
    dirty: bool
    notebook: _Notebook
    loaded: list[str]
    provenance: FileName


class _Machine(_Whole):
    device: str
    processor: str
    cores: int | None  # None: unknown
    memory_gb: float


class _Record(_Whole):
    format: Literal[2]
    experiment: FileName
    run: FileName
    profile: Literal["smoke", "quick", "reference", "full"]
    parameters: dict[str, Any]
    seed: int | None
    threads: int
    metrics: dict[str, float]
    code: _Code
    data: dict[str, str]
    machine: _Machine
    files: dict[FileName, str]
    notes: str
    seconds: float
    peak_memory_mb: float
    started: Annotated[str, AfterValidator(_moment)]


def fault(raw: Any) -> str | None:
    """The first violation of the schema, such as "code.commit: Field required".

    Returns:
        None for a complete record.
    """
    if not isinstance(raw, dict):
        return "it is no JSON object"
    try:
        _Record.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None
