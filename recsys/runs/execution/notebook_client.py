"""papermill's notebook client with longer timeouts, a limit on outputs, and the reason of a kernel's death.

nbclient gives up when a cell's outputs are not read within 4 s of its end, which is too short for a busy
machine or many outputs; ZeroMQ silently drops messages beyond a thousand; and of a dead kernel nbclient only
reports that it died.
"""

import signal
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from recsys.runs.execution.in_flight import note

ENGINE = "recsys"
SECONDS_FOR_OUTPUT = 120  # between a cell's end and its last output
MOST_OUTPUT = 50_000_000  # characters of all outputs of a notebook, which each run stores


class KernelDied(Exception):
    """The kernel ended before the notebook. index: of papermill's cells; None before the first."""

    def __init__(self, reason: str, index: int | None) -> None:
        super().__init__(reason)
        self.index = index


class Client(PapermillNotebookClient):
    """Executes one notebook, and reports how a dead kernel ended."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, iopub_timeout=SECONDS_FOR_OUTPUT, **options)
        self._index: int | None = None
        self._written = 0
        self._process: Any = None

    def execute(self, **options: Any) -> Any:
        try:
            return super().execute(**options)
        except DeadKernelError:
            raise KernelDied(self._how_it_ended(), self._index) from None
        except CellTimeoutError:
            raise KernelDied(
                f"the outputs could not be read within {SECONDS_FOR_OUTPUT} s: show less, or make room on "
                "this machine",
                self._index,
            ) from None
        except RuntimeError as error:
            if "Kernel died" not in str(error):
                raise
            raise KernelDied(f"{self._how_it_ended()}, before the first cell", None) from None

    def execute_cell(self, cell: Any, cell_index: int, *arguments: Any, **options: Any) -> Any:
        self._index = cell_index
        note(cell_index, len(self.nb.cells) - 1)  # as in the notebook: papermill has put its parameters above
        self._process = getattr(self.km.provisioner, "process", None)
        return super().execute_cell(cell, cell_index, *arguments, **options)

    def process_message(self, msg: Any, *arguments: Any, **options: Any) -> Any:
        content = msg["content"]
        self._written += len(content.get("text", "")) + len(content.get("evalue", ""))
        self._written += sum(map(len, content.get("traceback", ())))
        self._written += sum(
            len(value) for value in content.get("data", {}).values() if hasattr(value, "__len__")
        )
        if self._written > MOST_OUTPUT and self._process is not None:
            self._process.kill()  # the cell may print forever, and an error would be raised only at its end
            return None
        return super().process_message(msg, *arguments, **options)

    def _how_it_ended(self) -> str:
        if self._written > MOST_OUTPUT:
            return (
                f"stopped: the notebook wrote more than {MOST_OUTPUT / 1e6:.0f} million characters of output"
            )
        return how_it_ended(self._process.poll() if self._process is not None else None)


class Engine(NBClientEngine):
    """papermill's engine with `Client`: `papermill.execute_notebook(engine_name=ENGINE)`."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, start_timeout: int = 60, **options: Any
    ) -> Any:
        unused = ("input_path", "log_output", "stdout_file", "stderr_file", "execution_timeout")
        kept = {name: value for name, value in options.items() if name not in unused}
        return Client(nb_man, startup_timeout=start_timeout, kernel_name=kernel_name, **kept).execute()


papermill_engines.register(ENGINE, Engine)


def how_it_ended(status: int | None) -> str:
    """How a process ended, in words.

    Args:
        status: as `subprocess.Popen.returncode`: negative for a signal; None if unknown.
    """
    if status is None:
        return "the kernel died"
    if status >= 0:
        return f"the kernel ended itself with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if -status == signal.SIGKILL:
        return (
            "the kernel died: it was killed (SIGKILL), most often because memory ran out (ask for more with "
            "`needs: memory_gb` or make the run smaller)"
        )
    crashes = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
    return f"the kernel {'crashed' if -status in crashes else 'was ended'} ({name})"


def last_words(log: Path) -> str:
    """Last output of a kernel's C libraries, without ipykernel's banner; "" if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 20_000))
        lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines()]
    banner = max((number for number, line in enumerate(lines) if "--existing" in line), default=-1)
    said = [line for line in lines[banner + 1 :] if line]
    fatal = [line for line in said if line.startswith("Fatal Python error")]
    return (fatal or said or [""])[-1]
