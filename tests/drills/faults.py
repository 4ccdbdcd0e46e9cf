"""The data layer against a server that truncates and lies, a full disk, hostile archives and pickles."""

import argparse
import subprocess
import sys

from tests.conftest import ROOT


def main(_: argparse.Namespace) -> bool:
    tests = sorted(str(path) for path in (ROOT / "tests" / "data").glob("test_[adsw]*.py"))
    chosen = [name for name in tests if "demo_store" not in name and "splits" not in name]
    return subprocess.run([sys.executable, "-m", "pytest", "-v", *chosen], cwd=ROOT).returncode == 0
