"""AdaLoRA's rank schedule, driven by the training loop (Zhang et al. 2023, arXiv:2303.10512).

Every matrix learns ΔW = P Λ Q (§3.1), all with `init_r` singular values. A triplet i of matrix k has the
importance S_ki = s(λ_ki) + mean_j s(P_k,ji) + mean_j s(Q_k,ij), s = Ī · Ū, where I = |w · ∂L/∂w| is smoothed
over steps and U is how much it varies (§3.2, eq. 7 to 10). Over the whole model the b(t) most important keep
their singular value, the others are set to zero; b(t) falls from init_r to target_r per matrix as a cube
(§3.3): constant for the warm-up, then falling, then constant again while the chosen triplets learn on.

The allocator reads gradients, so it is called after `optimizer.step()` and before `zero_grad()`. Its smoothed
scores and its mask are non-trainable parameters inside the backbone, so a checkpoint holds them and a resumed
training ends with the same ranks.

r: init_r. D: width.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch
from peft.tuners.adalora import AdaLoraModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from recsys.encoders.backbone import Backbone
from recsys.encoders.peft.applied import applied_to
from recsys.encoders.peft.matrix_names import layer_and_matrix

ADAPTER = "default"
LossOf = Callable[[nn.Module, dict[str, Tensor]], tuple[Tensor, int]]


class AdaptiveRank(nn.Module):
    """The allocator of a backbone with method "adalora"; it becomes `backbone.adaptive_rank`.

    Args:
        total_steps: optimiser steps of the whole training.
        final_rank: target_r, mean rank per matrix at the end, 1 to init_r - 1; None: as the method's options.
        warmup_share: share of the steps with all triplets. final_share: share after the last cut.
        every: steps between two cuts; None: 1 % of all, at least 1.

    Raises:
        ValueError: another method, a rank or share out of range, too few steps to cut even once.
    """

    def __init__(
        self,
        backbone: Backbone,
        total_steps: int,
        *,
        final_rank: int | None = None,
        warmup_share: float = 0.1,
        final_share: float = 0.3,
        every: int | None = None,
    ):
        super().__init__()
        if applied_to(backbone).name != "adalora":
            raise ValueError(
                f"{backbone.name} has {backbone.peft.name!r}, not 'adalora': nothing to allocate"
            )
        self._tuner: tuple[AdaLoraModel] = (backbone.model.base_model,)  # in a tuple: no child of this module
        config, final = self.config, self.config.target_r if final_rank is None else final_rank
        if not 1 <= final < config.init_r:
            raise ValueError(f"final_rank must be from 1 to {config.init_r - 1}, got {final!r}")
        if warmup_share < 0 or final_share <= 0 or warmup_share + final_share >= 1:
            raise ValueError(f"shares must leave steps between them, got {warmup_share} and {final_share}")
        first, last = round(warmup_share * total_steps), round(final_share * total_steps)
        if first + 1 >= total_steps - last:
            raise ValueError(f"total_steps={total_steps} is too few for a schedule: take 4 or more")
        config.target_r, config.total_step, config.tinit, config.tfinal = final, total_steps, first, last
        config.deltaT = every or max(1, total_steps // 100)
        self.allocator.target_bgt = config.target_r * len(self.allocator.name_set)
        self.mean, self.spread, self.mask = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        for name, weight in self._named():
            self.mean[_key(name)] = _frozen(torch.zeros_like(weight))
            self.spread[_key(name)] = _frozen(torch.zeros_like(weight))
            if "lora_E" in name:
                self.mask[_key(name)] = _frozen(torch.ones_like(weight[:, 0]))
        self.last = _frozen(torch.zeros((), dtype=torch.long, device=next(backbone.parameters()).device))
        backbone.adaptive_rank = self

    @property
    def config(self):
        return self._tuner[0].peft_config[ADAPTER]

    @property
    def allocator(self):
        return self._tuner[0].rankallocator

    def budget(self, step: int) -> int:
        """b(t): singular values of the whole model that may differ from zero after `step`, from 1."""
        return self.allocator.budget_schedule(step)[0]

    def on_step(self, step: int) -> None:
        """Call once per optimiser step (1, 2, …), before `.grad` is cleared; may set singular values to zero.

        Raises:
            ValueError: a step skipped or repeated; no gradient.
        """
        if step != int(self.last) + 1:
            raise ValueError(f"the allocator was last called at step {int(self.last)}, now at {step}")
        weights = dict(self._named())
        if step < self._end and any(weight.grad is None for weight in weights.values()):
            raise ValueError("no gradient: call on_step after optimizer.step() and before zero_grad()")
        allocator = self.allocator
        for name in weights:  # this module's scores count, because a checkpoint may have restored them
            allocator.ipt[name] = self.mean[_key(name)]
            allocator.exp_avg_ipt[name] = self.mean[_key(name)].data
            allocator.exp_avg_unc[name] = self.spread[_key(name)].data
        if self._is_cut:
            self.config.rank_pattern = self._pattern()
        self._tuner[0].update_and_allocate(step)
        for name in weights.keys() & allocator.exp_avg_ipt.keys():
            self.mean[_key(name)].copy_(allocator.exp_avg_ipt[name])
            self.spread[_key(name)].copy_(allocator.exp_avg_unc[name])
        for name, kept in (self.config.rank_pattern or {}).items():
            mask = self.mask[_key(name)]
            mask.copy_(torch.tensor(kept, dtype=mask.dtype))
        self.last.fill_(step)

    def finish(self) -> None:
        """Call when training has ended and the best weights are restored.

        Raises:
            RuntimeError: more ranks than the final budget are left: the loop did not call `on_step`, or the
                weights kept are those of an evaluation before the last cut.
        """
        if self._is_cut:
            self.config.rank_pattern = self._pattern()
        left, most = sum(int(m.sum()) for m in self.mask.values()), self.allocator.target_bgt
        if left > most:
            raise RuntimeError(
                f"{left} ranks are left, the budget is {most}: the weights are of step {int(self.last)}, "
                f"the last cut is at {self._end} of {self.config.total_step}"
            )

    @property
    def _end(self) -> int:
        return self.config.total_step - self.config.tfinal

    @property
    def _is_cut(self) -> bool:
        return any(not bool(mask.all()) for mask in self.mask.values())

    def _pattern(self) -> dict[str, list[bool]]:
        names = (name for name, _ in self._named() if "lora_E" in name)
        return {name: self.mask[_key(name)].bool().tolist() for name in names}

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        return [(n, p) for n, p in self._tuner[0].model.named_parameters() if "lora_" in n and ADAPTER in n]


def ranks_by_matrix(model: nn.Module) -> pd.DataFrame:
    """Rank of every adapted matrix: columns layer, matrix (see `layer_and_matrix`), rank.

    For "adalora" the number of triplets that the allocator keeps; for other LoRA methods r.

    Raises:
        ValueError: no such layers.
    """
    rows = []
    for name, module in model.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        rows.append((*layer_and_matrix(name), _kept(model, name, module)))
    if not rows:
        raise ValueError("the model has no LoRA layers: apply a method of the LoRA family first")
    return pd.DataFrame(rows, columns=["layer", "matrix", "rank"])


def drop_zero_ranks(backbone: Backbone) -> int:
    """Remove the triplets that the allocator has dropped, after training; vectors stay equal up to rounding.

    Returns:
        Number of parameters left in P, Λ and Q; the adapter's file then holds only them.

    Raises:
        ValueError: another method than "adalora"; the allocator has not cut anything yet.
    """
    config = backbone.model.peft_config[ADAPTER] if applied_to(backbone).name == "adalora" else None
    if config is None or not config.rank_pattern:
        raise ValueError(f"{backbone.name} has no ranks that AdaLoRA's allocator has dropped")
    left = 0
    for name, kept in config.rank_pattern.items():
        path = name.split(".lora_E")[0]
        layer = backbone.model.base_model.model.get_submodule(path)
        keep = torch.tensor(kept, device=layer.lora_E[ADAPTER].device)
        for table, rows in ((layer.lora_A, True), (layer.lora_E, True), (layer.lora_B, False)):
            weight = table[ADAPTER]
            weight.grad = None
            weight.data = (weight.data[keep] if rows else weight.data[:, keep]).contiguous()
            left += weight.numel()
    config.rank_pattern = {name: [True] * sum(kept) for name, kept in config.rank_pattern.items()}
    backbone.adaptive_rank = None
    return left


def orthogonality(model: nn.Module) -> Tensor:
    """R(P, Q) = mean over all P and Q of ‖PᵀP - I‖, ‖QQᵀ - I‖ (Frobenius norms), 0-d, ≥ 0.

    This is peft's form; the paper's (§3.1, eq. 4) sums the squared norms. peft adds it only where the model
    itself returns a loss, which a backbone does not.
    """
    terms = []
    for name, weight in model.named_parameters():
        if not name.endswith((f"lora_A.{ADAPTER}", f"lora_B.{ADAPTER}")):
            continue
        gram = weight @ weight.T if "lora_A" in name else weight.T @ weight
        terms.append(torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device)))
    return torch.stack(terms).mean()


def with_orthogonality(loss: LossOf, weight: float = 0.5) -> LossOf:
    """A training loss plus γ · R(P, Q) per sample; weight: γ ≥ 0, by default peft's 0.5."""

    def regularised(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        total, count = loss(model, batch)
        return total + weight * count * orthogonality(model), count

    return regularised


def _kept(model: nn.Module, name: str, module: LoraLayer) -> int:
    for holder in model.modules():
        if isinstance(holder, AdaLoraModel):
            pattern = holder.peft_config[ADAPTER].rank_pattern or {}
            found = [
                kept for key, kept in pattern.items() if f".{name}.".endswith(f".{key.split('.lora_E')[0]}.")
            ]
            return sum(found[0]) if found else len(module.lora_E[ADAPTER])
    return module.r[ADAPTER]


def _key(name: str) -> str:
    return name.replace(".", "/")  # a parameter's name must not contain a dot


def _frozen(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)
