"""Adapter files: save, load bit for bit, merge, and switch between several adapters on one backbone.

A folder holds adapter.json (method and options) and adapter.safetensors: every trained tensor, and those
frozen ones that cannot be drawn again from the options' seed. The backbone's own weights are not stored; a
digest of them, its configuration and tokenizer is, and another backbone is refused. PiSSA and OLoRA repeat
their decomposition of the backbone's weights when loaded: bit-equal on the same machine, up to rounding on
another one.

B: texts. T: tokens. v: virtual tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from recsys.encoders.backbone import Backbone
from recsys.encoders.backbone_digest import backbone_digest, tensors_digest
from recsys.encoders.peft.adapter_folder import bytes_on_disk, read_adapter, write_adapter
from recsys.encoders.peft.applied import (
    Applied,
    adapter_tensors,
    applied_to,
    changed_fields,
)
from recsys.encoders.peft.methods import wrap

SCHEDULE = ("rank_pattern", "total_step", "tinit", "tfinal", "deltaT", "target_r")  # AdaLoRA, training only


def save_adapter(backbone: Backbone, folder: str | Path) -> int:
    """Save the adapter without the backbone; replaces an adapter in that folder.

    Returns its size on disk in bytes.

    Example:
        >>> import tempfile
        >>> from recsys.encoders.backbone import load_backbone
        >>> from recsys.encoders.peft.methods import apply_method
        >>> tuned, fresh = load_backbone("random-bert"), load_backbone("random-bert")
        >>> _ = apply_method(tuned, "lora", r=4)  # and training
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     size = save_adapter(tuned, folder)
        ...     load_adapter(fresh, folder)["trainable"]
        2048

    Raises:
        ValueError: no method applied; the folder cannot be written.
    """
    applied, folder = applied_to(backbone), Path(folder)
    kept, frozen = _split(applied, adapter_tensors(backbone))
    config = backbone.model.active_peft_config if applied.method.config else None
    options = applied.options if config is None else changed_fields(config)  # AdaLoRA's ranks change
    record = {"method": applied.name, "options": options}
    record |= {"base": applied.base, "frozen": tensors_digest(frozen)}
    state = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in kept.items()}
    write_adapter(folder, record, state)
    return bytes_on_disk(folder)


def load_adapter(backbone: Backbone, folder: str | Path) -> dict[str, int]:
    """Load a saved adapter into a bare backbone, in place; its vectors are bit-equal to those when saved.

    Returns:
        {"trainable": n, "total": n} as `apply_method`.

    Raises:
        ValueError: no adapter in the folder, a damaged one, another backbone (weights, configuration,
            tokenizer or pooling), tensors that do not fit, or a backbone with a method applied already.
    """
    record, state = read_adapter(folder)
    if getattr(backbone, "peft", None) is not None:
        raise ValueError(f"{backbone.name} has {backbone.peft.name!r} applied already: load a fresh backbone")
    if backbone_digest(backbone) != record["base"]:
        raise ValueError(
            f"{folder} was trained on another backbone than {backbone.name}: other weights, configuration, "
            "tokenizer or pooling"
        )
    options = dict(record["options"])
    if options.get("init_lora_weights") == "eva":
        options["init_lora_weights"] = True  # its start needed texts; what was learnt is in the file
    try:
        counts = wrap(backbone, record["method"], options)
    except (TypeError, KeyError, AttributeError) as error:  # of peft, for options that are none
        raise ValueError(f"{folder} holds options that {record['method']!r} does not take: {error}") from None
    backbone.peft.options = record["options"]
    _check(backbone, record, state, folder)
    device = next(backbone.parameters()).device
    for name, tensor in adapter_tensors(backbone).items():
        if name in state:
            tensor.data = state[name].to(device, copy=True)
    return counts


def merge(backbone: Backbone) -> None:
    """Merge the adapter into the model's weights, in place; vectors change by about 1e-6 at most.

    Raises:
        ValueError: no method applied, or one that does not act as a change of weights (prefixes, say).
    """
    applied = applied_to(backbone)
    if not applied.method.merges:
        raise ValueError(f"{applied.name} changes no weights of the model: it cannot be merged")
    if applied.method.config:
        backbone.model = backbone.model.merge_and_unload()
    backbone.peft = None


class AdapterBank:
    """Many adapters of one method on one backbone, one active at a time.

    Switching exchanges references to tensors and copies none, so it takes no memory; it exchanges every
    tensor of the adapter, so nothing of one task is left in the next. Training changes the active one.

    Args:
        backbone: with a method applied (`apply_method`, `load_adapter`).
        name: of the adapter that it has now.
    """

    def __init__(self, backbone: Backbone, name: str = "default"):
        self.backbone = backbone
        self._targets = adapter_tensors(backbone)
        self._stored = {name: {key: tensor.data for key, tensor in self._targets.items()}}
        self._lock = threading.RLock()
        self.active = name

    def __len__(self) -> int:
        return len(self._stored)

    def add(self, name: str, folder: str | Path) -> None:
        """Read a saved adapter; the active one stays active.

        Raises:
            ValueError: the name is taken; another method, other options or another backbone.
        """
        if name in self._stored:
            raise ValueError(f"there is an adapter {name!r} already")
        record, state = read_adapter(folder)
        _check(self.backbone, record, state, folder)
        mine, device = self._stored[self.active], next(self.backbone.parameters()).device
        # a frozen tensor that every adapter draws alike is shared
        self._stored[name] = {
            key: state[key].to(device, copy=True) if key in state else value for key, value in mine.items()
        }

    def activate(self, name: str) -> None:
        """Make that adapter the active one.

        Raises:
            ValueError: no such adapter.
        """
        if name not in self._stored:
            raise ValueError(f"adapter must be one of {', '.join(self._stored)}, not {name!r}")
        with self._lock:
            for key, tensor in self._stored[name].items():
                self._targets[key].data = tensor
            self.active = name

    @contextmanager
    def using(self, name: str) -> Iterator[Backbone]:
        """Context manager: the backbone with that adapter; other threads wait until it exits."""
        with self._lock:
            before = self.active
            self.activate(name)
            try:
                yield self.backbone
            finally:
                self.activate(before)


def _split(applied: Applied, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors that the file stores, and frozen ones that are drawn again from the seed."""
    frozen = {n: t for n, t in tensors.items() if applied.method.redrawn and not t.requires_grad}
    return {n: t for n, t in tensors.items() if n not in frozen}, frozen


def _check(backbone: Backbone, record: dict, state: dict[str, Tensor], folder: str | Path) -> None:
    applied = backbone.peft
    kept, frozen = _split(applied, adapter_tensors(backbone))
    mine = {"method": applied.name, "base": applied.base, "options": applied.options}
    for field, own in mine.items():
        there = record[field]
        if field == "options" and applied.name == "adalora":
            own, there = ({k: v for k, v in x.items() if k not in SCHEDULE} for x in (own, there))
        if there != own:
            raise ValueError(f"{folder} does not fit: its {field} is {there!r}, here it is {own!r}")
    shapes = {n: tuple(t.shape) for n, t in kept.items()}
    other = {n: tuple(t.shape) for n, t in state.items()}
    if shapes.keys() != other.keys() or (shapes != other and applied.name != "adalora"):
        odd = sorted(n for n in shapes.keys() | other.keys() if shapes.get(n) != other.get(n))
        raise ValueError(f"{folder} does not fit: {len(odd)} tensors differ, first {odd[0]}")
    if tensors_digest(frozen) != record["frozen"]:
        raise ValueError(f"{folder} does not fit: its frozen numbers are drawn otherwise on this machine")
