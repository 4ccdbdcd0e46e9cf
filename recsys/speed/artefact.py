"""Artefacts: built variants of a model, as folders that are used only if valid for this machine and weights.

A folder appears complete, by rename, or not at all. Before it is used, the key in its manifest is compared
with this machine's, every file with its sha256, and the vectors of a few test texts (the canary) with those
computed when it was built. Nothing is unpickled: weights are safetensors, graphs ONNX or OpenVINO IR.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from recsys.data.files.locations import cache_folder
from recsys.speed.encoder import Encoder, unit
from recsys.speed.model_source import ModelSource
from recsys.speed.variant import Variant
from recsys.speed.word_pieces import WordPieces

if TYPE_CHECKING:
    from recsys.encoders.backbone import Backbone

FORMAT = 1  # raise it when the layout of an artefact changes
MANIFEST, CANARY_FILE = "manifest.json", "canary.safetensors"
# test texts: short and long, cased, accented, Chinese, empty
CANARY = (
    "waterproof hiking boots",
    "",
    "18V Cordless Drill/Driver, Lithium-Ion, 1/2 in. (2-Pack)",
    "crème 帽子 12",
)
# least cosine with the model's own vectors after building: rounding stays above it, a wrong graph does not
CANARY_COSINE = {"fp32": 0.9999, "bf16": 0.99, "int8": 0.8}
CANARY_DISTANCE = 1e-3  # between unit vectors: the same files on the same processor agree to 1e-6

CANARY_TOKENS = 64  # more than its texts have
TRIES = 5  # attempts to rename a folder into place while other processes do the same


class ArtefactError(ValueError):
    """An artefact is not valid here; one line says why."""


@dataclass(frozen=True)
class Key:
    """Everything that the files of an artefact depend on; a difference makes them invalid."""

    model: str
    variant: str
    options: str
    code: str
    versions: dict[str, str | None]
    processor: str
    system: str
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """sha256 over all fields, hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def key_of(source: ModelSource, variant: Variant) -> Key:
    """The key of a model and a variant on this machine, with the code and packages that are installed."""
    model = f"{source.digest} {source.pooling} {source.max_tokens} {source.unit_length}"
    return Key(
        model=model,
        variant=variant.name,
        options=json.dumps(dict(variant.options), sort_keys=True),
        code=variant.code(),
        versions=variant.versions(),
        processor=processor(),
        system=f"{platform.system()} {platform.machine()} {platform.python_version()}",
    )


def processor() -> str:
    """Name and instruction sets of the processor, because artefacts are chosen and compiled for one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    wanted = ("model name", "flags", "Features")
    told = dict(line.split(":", 1) for line in lines if line.split("\t")[0] in wanted and ":" in line)
    return " ".join(
        f"{name.strip()}={' '.join(sorted(value.split()))}" for name, value in sorted(told.items())
    )


def artefact_folder(source: ModelSource, variant: Variant, cache: Path | None = None) -> Path:
    """Folder of the artefact of this model and variant, whether it exists or not."""
    key = key_of(source, variant)
    return root(cache) / f"{variant.name}-{key.digest[:16]}"


def root(cache: str | Path | None = None) -> Path:
    """The folder of all artefacts: `cache` if given, else the kit's own cache folder."""
    return Path(cache) if cache else cache_folder() / "speed"


def calibrated(cache: str | Path | None, texts: Sequence[str]) -> Path:
    """A subfolder for artefacts that are calibrated on these texts (which are not part of a key)."""
    return root(cache) / f"calibrated-{hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:16]}"


def build(source: ModelSource, variant: Variant, texts: Sequence[str], cache: Path | None = None) -> Path:
    """Build an artefact and put it in place, replacing an older one.

    Args:
        source: the model. variant: what to build.
        texts: for calibration.
        cache: folder of artefacts; None: the kit's own.

    Returns:
        The artefact's folder.

    Raises:
        Exception: any error of the variant's library.
    """
    place = artefact_folder(source, variant, cache)
    place.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{variant.name}-", dir=place.parent))
    try:
        backbone = source.backbone()
        words = words_of(backbone, source.max_tokens)
        words.save(work)
        variant.build(backbone, work, list(texts))
        encoder = Encoder(
            variant.load(work, words), words, backbone.width, one_at_a_time=variant.one_at_a_time
        )
        vectors = encoder.encode(CANARY)
        if not np.isfinite(vectors).all():
            raise ArtefactError(f"{variant.name}: the canary's vectors are not finite")
        _check_against(backbone, vectors, variant)
        save_file({"vectors": np.ascontiguousarray(vectors)}, work / CANARY_FILE)
        manifest = {"key": asdict(key_of(source, variant)), "width": backbone.width}
        manifest |= {"model": source.name, "unit_length": source.unit_length, "files": _hashes(work)}
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _replace(work, place)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return place


def load(source: ModelSource, variant: Variant, cache: Path | None = None, workers: int = 1) -> Encoder:
    """Load the encoder of an existing artefact.

    Raises:
        FileNotFoundError: it has not been built.
        ArtefactError: built for something else, damaged, or its test vectors differ from those when built.
    """
    return load_folder(artefact_folder(source, variant, cache), source, variant, workers)


def load_folder(folder: Path, source: ModelSource, variant: Variant, workers: int = 1) -> Encoder:
    """As `load`, from a folder that may have come from elsewhere."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no artefact {folder}")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected, found = asdict(key_of(source, variant)), manifest["key"]
        others = sorted(name for name in expected if found.get(name) != expected[name])
        if others:
            raise ArtefactError(f"{folder.name} was built for another {' and '.join(others)}")
        hashes = _hashes(folder)
        damaged = sorted(name for name, told in manifest["files"].items() if hashes.get(name) != told)
        if damaged or set(hashes) != set(manifest["files"]):
            raise ArtefactError(f"{folder.name} is damaged: {', '.join(damaged) or 'a file too many'}")
        words = WordPieces.load(folder)
        expected_vectors = load_file(folder / CANARY_FILE)["vectors"]
        engine = variant.load(folder, words)
        width, unit_length = int(manifest["width"]), bool(manifest["unit_length"])
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        if isinstance(error, ArtefactError):
            raise
        raise ArtefactError(f"{folder.name} cannot be read ({type(error).__name__}: {error})") from None
    name = f"{source.name}, {variant.name}"
    encoder = Encoder(
        engine,
        words,
        width,
        unit_length=unit_length,
        workers=workers,
        one_at_a_time=variant.one_at_a_time,
        name=name,
    )
    vectors = unit(encoder.encode(CANARY))
    distance = np.abs(vectors - expected_vectors).max() if vectors.shape == expected_vectors.shape else np.inf
    if not distance <= CANARY_DISTANCE:  # NaN too
        raise ArtefactError(
            f"{folder.name}: the canary's vectors differ by {distance:.2g} from when it was built"
        )
    return encoder


def obtain(
    source: ModelSource,
    variant: Variant,
    texts: Callable[[], Sequence[str]],
    cache: Path | None = None,
    workers: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Encoder:
    """Load the encoder of an artefact; builds it first where it is missing or not valid.

    Args:
        source: the model. variant: which artefact.
        texts: returns the texts for calibration; called only if something has to be built.
        cache: folder of artefacts; None: the kit's own.
        workers: see `recsys.speed.encoder.Encoder`.
        say: called with one line where an artefact had to be built again.
    """
    try:
        return load(source, variant, cache, workers)
    except FileNotFoundError:
        pass
    except ArtefactError as error:
        say(f"{error}: building it anew")
    build(source, variant, texts(), cache)
    return load(source, variant, cache, workers)


def megabytes(folder: Path) -> float:
    """Size of all files of an artefact, in 1e6 bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*")) / 1e6


def words_of(backbone, max_tokens: int | None = None) -> WordPieces:
    """The tokenizer of a backbone as `WordPieces`, which do not need transformers."""
    from tokenizers import Tokenizer

    tokenizer = backbone.tokenizer
    filler = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.pad_token_id
    return WordPieces(
        Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()),
        min(max_tokens or backbone.max_tokens, backbone.max_tokens),
        filler,
        tokenizer.pad_token_id,
        tokenizer.padding_side == "left",
    )


def _check_against(backbone: Backbone, vectors: np.ndarray, variant: Variant) -> None:
    from recsys.encoders.embed import embed_texts  # torch, which a load has no need of

    right = embed_texts(backbone, CANARY, precision="fp32", max_tokens=CANARY_TOKENS)
    least = float((unit(vectors) * right).sum(axis=1).min())
    if not least >= CANARY_COSINE[variant.precision]:
        raise ArtefactError(
            f"{variant.name} does not compute this model: the cosine of a text's vectors is {least:.3f}"
        )


def _hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as stream:
                found[str(path.relative_to(folder))] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _replace(work: Path, place: Path) -> None:
    """Rename into place; an older folder is first renamed away, so that no reader sees a mixture."""
    for _ in range(TRIES):
        old = Path(tempfile.mkdtemp(prefix=".old-", dir=place.parent))
        try:
            with suppress(FileNotFoundError):
                os.rename(place, old / place.name)
            os.rename(work, place)
            return
        except OSError as error:
            # another process put its own there in between
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
    raise ArtefactError(f"{place.name}: other processes keep building it")
