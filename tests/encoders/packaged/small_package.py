"""A small package with weights in it, as pip would have put it there."""

import hashlib
from pathlib import Path

from recsys.encoders.packaged.packaged_model import PackagedFile, PackagedModel

CONTENT = bytes(range(256)) * 4


def install(folder: Path, version: str = "1.0", content: bytes = CONTENT, module: str = "toyweights") -> None:
    """Its files in `folder`, which is to stand on sys.path. The code says so if it is ever run."""
    (folder / module).mkdir(exist_ok=True)
    (folder / module / "__init__.py").write_text("raise RuntimeError('package code was run')\n")
    (folder / module / "weights.bin").write_bytes(content)
    for old in folder.glob("toy_weights-*.dist-info/METADATA"):
        old.unlink()
    info = folder / f"toy_weights-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy-weights\nVersion: {version}\n")


def toy_model(module: str = "toyweights", **changes) -> PackagedModel:
    """The entry that fits `install`."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    facts = {
        "name": "toy",
        "kind": "text",
        "extra": "toys",
        "package": "toy-weights",
        "version": "1.0",
        "files": (PackagedFile(f"{module}/weights.bin", sha256, len(CONTENT)),),
        "parameters": 1024,
        "width": 8,
        "licence": "CC0",
        "licence_from": "this test",
        "original": "none",
        "not_said": "nothing",
    }
    return PackagedModel(**(facts | changes))
