"""`record(...)`, the last cell of every notebook: checks the parameters used and writes the results.

Under `recsys run`, the runner passes a request by the environment variable RECSYS_REQUEST; by hand in
JupyterLab there is none, and the metrics are only shown.
"""

import json
import math
import os
import platform
import re
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.code import registry
from recsys.data import sources
from recsys.runs.records import FORMAT

if TYPE_CHECKING:
    import pandas as pd

    from recsys.ensembling.candidate_lists import Kept

REQUEST = "RECSYS_REQUEST"
RANKS = "ranks"  # name of the table of positions
MAXRSS_UNITS_IN_MB = 2**20 if sys.platform == "darwin" else 2**10


class RecordError(RuntimeError):
    """A notebook's results are not a valid record of the requested run."""


def record(
    metrics: Mapping[str, float],
    positions: "pd.DataFrame | None" = None,
    tables: "Mapping[str, pd.DataFrame] | None" = None,
    notes: str = "",
    scores: "Kept | None" = None,
) -> None:
    """Record a run's results; call it once, in the notebook's last cell.

    Args:
        metrics: name → finite number; must include every metric that the experiment requires.
        positions: from `recsys.metrics.ranking.rank_positions`, columns user, item, better, equal; stored so
            that `recsys verify` can recompute the ranking metrics.
        tables: further tables to store beside the record, each as `<name>.parquet`.
        notes: one or two sentences for readers of the record.
        scores: from `recsys.ensembling.kept_lists.keep`: each user's best candidates; stored in the run's
            folder for later fusion, and not committed.

    Raises:
        RecordError: a metric is missing or not finite, a parameter no longer has the requested value, a table
            has no plain name or a name twice, notes are no text, or it was called before.

    Example:
        >>> record({"ndcg@10": 0.05})  # in JupyterLab, say
        1 metrics are complete; by hand nothing is kept: `recsys run` records them
    """
    metrics = {name: _finite(name, value) for name, value in metrics.items()}
    request_file = os.environ.get(REQUEST)
    if request_file is None:
        print(f"{len(metrics)} metrics are complete; by hand nothing is kept: `recsys run` records them")
        return
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    used = _parameters_used(request["parameters"])
    missing = [name for name in request["metrics"] if name not in metrics]
    if missing:
        raise RecordError(
            f"experiment '{request['experiment']}' demands the metric(s) {', '.join(missing)}; "
            f"record() was given {', '.join(metrics) or 'none'}"
        )
    folder = Path(request["folder"])
    if (folder / "record.json").exists():
        raise RecordError("record(...) is called twice: only the last cell may, or one result would be lost")
    if not isinstance(notes, str):
        raise RecordError(f"notes are a text, got {type(notes).__name__}")
    files = _write_tables(_named(positions, tables or {}), folder)
    kept = {}
    if scores is not None:
        from recsys.runs.kept_scores.scores import write_scores

        kept = write_scores(folder, scores)
    print(f"{len(metrics)} metrics recorded")
    _write_record(folder, request, used, metrics, files, kept, notes)


def _finite(name: str, value: float) -> float:
    if not isinstance(name, str):
        raise RecordError(f"a metric's name is a text, got {name!r}")
    number = float(value)
    if not math.isfinite(number):
        raise RecordError(f"metric '{name}' is {number}: a run whose metric is not finite has failed")
    return number


def _parameters_used(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters' current values in the kernel's namespace, which must be those requested."""
    from IPython import get_ipython

    namespace = get_ipython().user_ns
    for name, value in asked.items():
        now = namespace.get(name, "<deleted>")
        if type(now) is not type(value) or now != value:
            raise RecordError(
                f"override not used: '{name}' was asked to be {value!r}, the kernel has {now!r}"
            )
    return {name: namespace[name] for name in asked}


def _named(
    positions: "pd.DataFrame | None", tables: "Mapping[str, pd.DataFrame]"
) -> "dict[str, pd.DataFrame]":
    """All tables by name, that of the positions included."""
    for name in tables:
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise RecordError(
                f"a table's name becomes that of a file: letters, digits, _ and -, not {name!r}"
            )
    if positions is None:
        return dict(tables)
    if RANKS in tables:
        raise RecordError(f"the table '{RANKS}' is given twice: as positions and among tables")
    return {RANKS: positions, **tables}


def _write_tables(tables: "Mapping[str, pd.DataFrame]", folder: Path) -> dict[str, str]:
    from recsys.runs.grid.fingerprint import sha256_of_file

    written = {}
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        table.to_parquet(path, index=False, compression="zstd")
        written[path.name] = sha256_of_file(path)
    return written


def _write_record(
    folder: Path, request: dict, used: dict, metrics: dict, files: dict, scores: dict, notes: str
) -> None:
    whole = {
        "format": FORMAT,
        "experiment": request["experiment"],
        "run": request["run"],
        "profile": request["profile"],
        "parameters": used,
        "seed": used.get("seed"),
        "threads": request["threads"],
        "metrics": metrics,
        "code": {
            **request["code"],
            "notebook": {"path": request["notebook"]},
            "loaded": registry.loaded(),
            # the runner compares these with the commit and replaces them by the run's dependencies
            "imported": _imported(request["started_ns"]),
        },
        "data": dict(sorted(sources.files_read.items())),
        "machine": _machine(),
        "files": files,
        **({"scores": scores} if scores else {}),  # not among "files": those are committed
        "notes": notes,
        "core_seconds": round(_core_seconds(), 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_UNITS_IN_MB, 1),
    }
    (folder / "record.json").write_text(
        json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _core_seconds() -> float:
    """Processor time of this process and its ended children, all threads, without waiting for a core."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def _imported(started_ns: int) -> dict[str, str]:
    """Every file of this package that the kernel imported, with git's blob id.

    Returns:
        Path from the project's root (absolute where the package is elsewhere) → blob id.

    Raises:
        RecordError: a file was edited since the run began, so it may differ from the code that ran.
    """
    from recsys.runs import paths
    from recsys.runs.grid.git import file_blob

    modules = [m for name, m in sys.modules.items() if name == "recsys" or name.startswith("recsys.")]
    files = sorted({Path(m.__file__) for m in modules if getattr(m, "__file__", None)})
    edited = [file.name for file in files if file.stat().st_mtime_ns > started_ns]
    if edited:
        raise RecordError(f"{', '.join(edited)} was edited while this run was going; run it again")
    inside = {file: file.is_relative_to(paths.PROJECT) for file in files}
    names = {f: f.relative_to(paths.PROJECT).as_posix() if within else str(f) for f, within in inside.items()}
    return {names[file]: file_blob(file) for file in files}


def _machine() -> dict[str, Any]:
    """Device, processor, cores and memory; a GPU's name when this process used one.

    kernels: which kernels the loaded libraries say that they use, and the processor's vector instructions, by
    which those that say nothing choose. A virtual machine's processor may have one name on hosts where these
    differ, and so the last bits of what is computed.
    """
    import psutil
    from threadpoolctl import threadpool_info

    torch = sys.modules.get("torch")
    used_gpu = torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
    except (OSError, StopIteration):
        processor, flags = platform.processor() or platform.machine(), []
    loaded = {
        f"{one['internal_api']} {one['architecture']}" for one in threadpool_info() if "architecture" in one
    }
    loaded.add(" ".join(["processor", *sorted(flag for flag in flags if flag.startswith(("avx", "amx")))]))
    if torch is not None:
        loaded.add(f"torch {torch.backends.cpu.get_cpu_capability()}")
    return {
        "device": torch.cuda.get_device_name() if used_gpu else "cpu",
        "processor": processor,
        "kernels": sorted(loaded),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }
