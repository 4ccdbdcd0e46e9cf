"""Install the pinned torch, preferring a CPU build; run by the Makefile before everything else.

On Linux the default index serves a CUDA build with gigabytes of packages. So, in this order: a build that
pip finds by its own configuration and that is a CPU build (a local wheel, or macOS and Windows, where the
default is one); PyTorch's own CPU index when it answers within seconds; the default build, after saying
how large it is. `--cuda` takes the default build on purpose. Standard library only: nothing is installed yet.
"""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS_TO_ANSWER = 5


def pip(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE if capture else None)


def default_is_cpu_build(requirement: str) -> bool:
    """Whether pip's own choice for this requirement is a CPU build (asked without installing)."""
    if sys.platform != "linux":
        return True
    asked = pip(
        "install",
        "--quiet",
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "--report",
        "-",
        requirement,
        capture=True,
    )
    if asked.returncode != 0:
        return False
    chosen = json.loads(asked.stdout)["install"]
    return bool(chosen) and "+cpu" in chosen[0]["metadata"]["version"]


def cpu_index_answers() -> bool:
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=SECONDS_TO_ANSWER) as answer:
            return answer.status == 200
    except OSError:
        return False


def main() -> int:
    lock = Path(__file__).resolve().parents[1] / "requirements.lock"
    requirement = re.search(r"^torch==\S+", lock.read_text(), flags=re.MULTILINE).group()
    if "--cuda" in sys.argv[1:]:
        print(f"{requirement}: the default build (CUDA on Linux: several gigabytes)", flush=True)
        pip("uninstall", "--quiet", "--yes", "torch")  # a CPU build has the same version
        return pip("install", requirement).returncode
    alone = ("install", "--quiet", "--no-deps")  # what it depends on is in the lock
    if default_is_cpu_build(requirement):
        return pip(*alone, requirement).returncode
    if cpu_index_answers():
        return pip(*alone, f"{requirement}+cpu", "--index-url", CPU_INDEX).returncode
    print(f"{requirement}: no CPU build within reach; taking the default build with CUDA, several gigabytes")
    return pip("install", requirement).returncode


if __name__ == "__main__":
    sys.exit(main())
