"""The tuning method applied to a backbone, and the tensors that it added or trains.

B: texts. T: tokens. v: virtual tokens.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import peft
import torch
from torch import Tensor, nn

from recsys.encoders.backbone import Backbone
from recsys.encoders.peft.registry import PeftMethod


@dataclass
class Applied:
    """What `apply_method` did to a backbone; kept as `backbone.peft`.

    Attributes:
        method: registry entry. name: as given to `apply_method` ("last-2").
        options: all that is needed to build it again.
        base: digest of the bare backbone.
        tensors: names in `backbone.model` of the adapter's tensors: trained ones, and new frozen ones.
    """

    method: PeftMethod
    name: str
    options: dict[str, Any]
    base: str
    tensors: tuple[str, ...]


class TextPeftModel(peft.PeftModelForFeatureExtraction):
    """peft's model, with hidden states of the text's own tokens only.

    peft leaves the virtual tokens of prompt tuning and p-tuning in `last_hidden_state` and ignores the
    position ids of padded decoders. Its [B, v + T, D] is cut to [B, T, D] here: only the text is pooled.
    """

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor | None = None, **extra):
        config = self.active_peft_config
        if position_ids is not None:
            extra["position_ids"] = position_ids
        if not config.is_prompt_learning or config.peft_type == peft.PeftType.PREFIX_TUNING:
            return super().forward(input_ids=input_ids, attention_mask=attention_mask, **extra)
        embedded, virtual = self.word_embeddings(input_ids), config.num_virtual_tokens
        prompts = self.get_prompt(batch_size=len(input_ids)).to(embedded.dtype)
        mask = torch.cat([attention_mask.new_ones(len(input_ids), virtual), attention_mask], dim=1)
        if position_ids is not None:
            first = torch.arange(virtual, device=position_ids.device).expand(len(input_ids), -1)
            extra["position_ids"] = torch.cat([first, position_ids + virtual], dim=1)
        output = self.base_model(
            inputs_embeds=torch.cat([prompts, embedded], dim=1), attention_mask=mask, **extra
        )
        output.last_hidden_state = output.last_hidden_state[:, virtual:]
        return output

    def save_pretrained(self, folder: str | Path, **extra) -> None:
        """A plain model folder with the adapter merged in, as `Backbone.save` promises.

        Raises:
            ValueError: a method that cannot be merged.
        """
        if not self.can_merge:
            raise ValueError(
                f"{self.active_peft_config.peft_type.value} is no part of a plain model folder: "
                "use recsys.encoders.peft.adapter_files.save_adapter"
            )
        copy.deepcopy(self).merge_and_unload().save_pretrained(folder, **extra)


def applied_to(backbone: Backbone) -> Applied:
    """The applied method; raises ValueError where none is."""
    applied = getattr(backbone, "peft", None)
    if applied is None:
        raise ValueError(f"{backbone.name} has no method applied: use apply_method first")
    return applied


def adapter_tensors(backbone: Backbone) -> dict[str, Tensor]:
    """The adapter's tensors (not copies), trained or frozen, by name in `backbone.model`.

    Raises:
        ValueError: no method applied.
    """
    applied, tensors = applied_to(backbone), tensors_of(backbone.model)
    return {name: tensors[name] for name in applied.tensors}


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, shared ones once."""
    return dict(chain(model.named_parameters(), model.named_buffers()))


def changed_fields(config: peft.PeftConfig) -> dict[str, Any]:
    """Fields of a configuration that differ from their defaults, without peft's own book-keeping."""
    kept = {}
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        if not entry.init or entry.name in peft.PeftConfig.__dataclass_fields__ or value == entry.default:
            continue
        value = sorted(value) if isinstance(value, set) else value
        if isinstance(value, bool | int | float | str | list | dict):
            kept[entry.name] = value
    return kept
