"""The training loop: steps, evaluations, checkpoints, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import nn
from tqdm.auto import tqdm

from recsys.training import checkpoint as checkpoints
from recsys.training.diverged import TrainingDiverged
from recsys.training.gradient_checkpointing import enable_gradient_checkpointing
from recsys.training.interrupt import Interrupt
from recsys.training.optimisers import build_optimizer
from recsys.training.processes import build_accelerator, reseed, widest
from recsys.training.progress import Progress
from recsys.training.result import COLUMNS, TrainingResult
from recsys.training.samples import Samples, epoch_batches
from recsys.training.schedules import scheduler, total_steps
from recsys.training.settings import TrainingSettings
from recsys.training.step import GradientSum, Loss, StepSums

Evaluate = Callable[[nn.Module], float]
OnStep = Callable[[int], None]
BAR_SECONDS = 0.2  # between two updates of the progress bar (reading the loss waits for the GPU)


def train(
    model: nn.Module,
    samples: Samples,
    loss: Loss,
    settings: TrainingSettings,
    *,
    evaluate: Evaluate | None = None,
    on_step: OnStep | None = None,
    folder: Path | str | None = None,
    task: str = "",
    progress: bool = True,
) -> TrainingResult:
    """Train a model in place; the best evaluated weights are the result.

    Where the loss is a sum over samples, the curve does not depend on how a step is divided: 4 micro-batches
    of 8 equal one of 32, two processes equal one, an uneven last batch included (dropout off). A loss with
    in-batch negatives is no such sum: a sample's loss depends on the rest of its micro-batch, and with 8
    there are 7 negatives, not 31. Accumulation then saves memory but changes the loss; so do more processes,
    because each takes a slice of every micro-batch.

    Args:
        model: may have an attribute `backbone`, whose learning rate `head_learning_rate` sets apart.
        samples: see `Samples`.
        loss: (model, batch on the model's device) -> (0-d sum of the loss over samples, number of samples).
            It may call any method of the model. Random draws must come from torch's global generators, and
            all that it learns must be parameters of the model. With bf16 sum in `.float()`: bf16 has 8 bits.
        settings: see `TrainingSettings`.
        evaluate: model -> a number, higher is better; called in eval mode without gradients, in the first
            process only. torch's generators are seeded before it by (seed, step).
        on_step: called in every process with the number of each optimiser step (1, 2, …), before its
            gradients are cleared (AdaLoRA's rank allocation, say). Its state must be parameters of the model.
        folder: for checkpoints and tracker files. A run that finds its checkpoint there resumes from it and
            ends with the same bits; a finished one is not trained again. None: nothing is written.
        task: names what else the result depends on (the loss, its options): a checkpoint of another task is
            refused, like one of other settings, samples or modules.
        progress: show a bar.

    Raises:
        ValueError: no samples, no trainable parameter, settings that do not fit the model, the samples, the
            device or the folder's checkpoint; a loss that is not 0-d; evaluate gave NaN.
        ImportError: the tracker is not installed.
        TrainingDiverged: loss, gradient norm or weights are not finite.
        KeyboardInterrupt: after SIGINT, between two steps; the checkpoint is written.
    """
    if not len(samples):
        raise ValueError("samples is empty: nothing to train on")
    folder = None if folder is None else Path(folder)
    accelerator = build_accelerator(settings, folder)
    if settings.gradient_checkpointing:
        enable_gradient_checkpointing(model)
    model = model.to(accelerator.device)
    loop = _Loop(model, samples, loss, settings, accelerator, evaluate, on_step, folder, task)
    if not loop.resume():
        loop.run(progress)
    return loop.result()


class _Loop:
    def __init__(
        self,
        model: nn.Module,
        samples: Samples,
        loss: Loss,
        settings: TrainingSettings,
        accelerator: Accelerator,
        evaluate: Evaluate | None,
        on_step: OnStep | None,
        folder: Path | None,
        task: str,
    ):
        self.model, self.samples, self.settings = model, samples, settings
        self.accelerator, self.folder = accelerator, folder
        self.evaluate, self.on_step = evaluate, on_step
        optimizer = build_optimizer(model, settings)
        self.total = total_steps(settings, len(epoch_batches(samples, settings, 0)))
        self.scheduler = scheduler(optimizer, settings, self.total)
        self.gradient = GradientSum(model, samples, loss, settings, accelerator)
        # accelerate's wrapper is for the gradient scaler; it searches for a package at every step (0.3 ms)
        scaled = accelerator.scaler is not None
        self.optimizer = accelerator.prepare_optimizer(optimizer) if scaled else optimizer
        self.state = Progress()
        self.best: checkpoints.Weights | None = None
        self.fingerprint = None if folder is None else checkpoints.fingerprint(settings, samples, model, task)
        self.interrupt = Interrupt()
        self.saved = self.drawn = time.monotonic()

    def resume(self) -> bool:
        """Resume from the folder's checkpoint, if any. True: that training had finished."""
        if self.folder is None:
            return False
        if self.accelerator.is_main_process:
            checkpoints.settle(self.folder)
        self.accelerator.wait_for_everyone()
        found = checkpoints.read(self.folder, self.fingerprint)
        self.accelerator.wait_for_everyone()  # else the first process may replace what another still reads
        if found is None:
            return False
        self.model.load_state_dict(found.weights)
        self.state = Progress(**found.state["progress"])
        self.best = found.best
        if found.optimiser is not None:
            self.optimizer.load_state_dict(found.optimiser["optimizer"])
            self.scheduler.load_state_dict(found.optimiser["scheduler"])
            if self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(found.optimiser["scaler"])
        return self.state.finished

    def run(self, show: bool) -> None:
        is_main = self.accelerator.is_main_process
        self.bar = tqdm(
            total=self.total, initial=self.state.step, unit="step", disable=not (show and is_main)
        )
        if self.settings.tracker is not None:
            config = {name: str(value) for name, value in asdict(self.settings).items()}
            self.accelerator.init_trackers("recsys", config=config)
        self.model.train()
        try:
            with self.interrupt:
                while self.state.step < self.total and not self.state.stopped_early:
                    self._epoch()
        finally:
            self.bar.close()
            for tracker in self.accelerator.trackers:
                tracker.finish()
        self._finish()
        if self.interrupt.asked:  # too late to stop anything, but not to be heard
            raise KeyboardInterrupt

    def _epoch(self) -> None:
        """Train to the end of the epoch, or of the training."""
        state, accumulation = self.state, self.settings.accumulation
        batches = epoch_batches(self.samples, self.settings, state.epoch)
        for start in range(state.position, len(batches), accumulation):
            stop = min(start + accumulation, len(batches))
            sums = self._step(batches[start:stop], state.epoch + stop / len(batches))
            state.position = stop
            ended = stop == len(batches)
            if ended:
                state.epoch, state.position = state.epoch + 1, 0
            if self.evaluate is not None and self._is_evaluation_due(ended):
                self._evaluate()
            self._save_or_stop(sums)
            if state.step == self.total or state.stopped_early:
                return

    def _step(self, micro_batches: list, epoch: float) -> StepSums:
        started = time.perf_counter()
        state, rate = self.state, self.optimizer.param_groups[0]["lr"]
        step = state.step + 1
        sums = self.gradient.gather(step, micro_batches, lambda: self.interrupt.asked)
        mean = sums.loss / sums.samples
        if not math.isfinite(mean):
            raise TrainingDiverged(f"the loss is {mean}", step, rate, state.last_losses())
        if self.settings.clip_norm is not None:
            norm = self.accelerator.clip_grad_norm_(self.gradient.parameters, self.settings.clip_norm)
            # with fp16, an overflow is expected now and then and the scaler's to answer
            if self.accelerator.scaler is None and not math.isfinite(norm):
                raise TrainingDiverged(f"the gradient norm is {norm}", step, rate, state.last_losses())
        self.optimizer.step()
        self.scheduler.step()
        if self.on_step is not None:
            self.on_step(step)
        self.optimizer.zero_grad()
        state.step = step
        state.seconds += time.perf_counter() - started
        state.add((step, epoch, mean, rate, state.seconds, sums.tokens, sums.samples, None))
        self._show(mean, rate)
        return sums

    def _show(self, loss: float, rate: float) -> None:
        if self.accelerator.trackers:
            self.accelerator.log({"loss": loss, "learning_rate": rate}, step=self.state.step)
        if self.bar.disable:
            return
        now = time.monotonic()
        if now - self.drawn > BAR_SECONDS:
            speed = self.state.tokens / self.state.seconds
            self.bar.set_postfix_str(f"loss {loss:.4f}, {speed:,.0f} tokens/s", refresh=False)
            self.drawn = now
        self.bar.update()

    def _is_evaluation_due(self, epoch_ended: bool) -> bool:
        every = self.settings.evaluate_every
        due = epoch_ended if every is None else self.state.step % every == 0
        return due or self.state.step == self.total

    def _evaluate(self) -> None:
        self._check_weights()
        value = 0.0
        if self.accelerator.is_main_process:
            # a fifth number: no step's dropout has this seed
            reseed(self.accelerator.device, self.settings.seed, self.state.step, 0, 0, 1)
            self.model.eval()
            with torch.no_grad():
                value = float(self.evaluate(self.model))
            self.model.train()
        if self.accelerator.num_processes > 1:
            device = self.accelerator.device
            value = broadcast(torch.tensor([value], dtype=widest(device), device=device)).item()
        if math.isnan(value):
            raise ValueError(f"evaluate returned NaN after step {self.state.step}")
        if self.accelerator.trackers:
            self.accelerator.log({"metric": value}, step=self.state.step)
        if self.state.evaluated(value, self.settings.patience):
            self.best = checkpoints.copy_of_weights(self.model)

    def _check_weights(self) -> None:
        if not all(torch.isfinite(p).all() for p in self.gradient.parameters):
            rate = self.state.history["learning_rate"][-1]
            raise TrainingDiverged("a weight is not finite", self.state.step, rate, self.state.last_losses())

    def _save_or_stop(self, sums: StepSums) -> None:
        due = time.monotonic() - self.saved >= 60 * self.settings.checkpoint_minutes
        if due or sums.interrupted:
            self._save()
        if sums.interrupted:
            raise KeyboardInterrupt

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.folder is None or not self.accelerator.is_main_process:
            return
        scaler, optimiser = self.accelerator.scaler, None
        if not self.state.finished:
            optimiser = {
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.scheduler.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
            }
        state = {"fingerprint": self.fingerprint, "progress": vars(self.state)}
        weights = checkpoints.copy_of_weights(self.model)
        best = None if self.state.finished else self.best
        checkpoints.write(self.folder, checkpoints.Checkpoint(state, weights, best, optimiser))

    def _finish(self) -> None:
        self._check_weights()
        if self.best is not None:
            self.model.load_state_dict(self.best)
        self.state.finished = True
        self._save()
        self.accelerator.wait_for_everyone()

    def result(self) -> TrainingResult:
        self.model.eval()
        state = self.state
        history = pd.DataFrame(state.history, columns=list(COLUMNS))
        return TrainingResult(
            model=self.model,
            history=history.astype({"metric": float}),
            best_metric=state.best_metric,
            best_step=state.best_step,
            seconds=state.seconds,
            tokens_per_second=state.tokens / state.seconds,
            steps=state.step,
            stopped_early=state.stopped_early,
        )
