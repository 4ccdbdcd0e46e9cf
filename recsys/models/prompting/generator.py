"""A causal language model with its head: log-likelihood of continuations, and greedy generation.

n: prompts. B: prompts of a batch. T: tokens of the longest. C: labels. V: vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from recsys.encoders.backbone import kind_of, quiet
from recsys.encoders.length_batches import length_batches
from recsys.encoders.model_folders import BackboneError, first_line, model_folder
from recsys.encoders.packaged import smollm2
from recsys.encoders.random_models import random_config, random_tokenizer

TOKEN_BUDGET = 2048  # of a padded batch
SHARED_DISCOUNT = 4  # a token of the common beginning of all prompts counts a quarter in the budget


class Generator:
    """A causal language model; create it by `load_generator`.

    Attributes:
        name: as given to `load_generator`. max_tokens: of prompt and continuation together.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str):
        self.model, self.tokenizer, self.name = model.eval().requires_grad_(False), tokenizer, name
        self.max_tokens: int = model.config.max_position_embeddings

    def ids(self, text: str) -> list[int]:
        """Token ids without added special tokens; those written out by a chat template are recognised."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def log_likelihood(
        self, prompts: Sequence[str], continuations: Sequence[str], token_budget: int = TOKEN_BUDGET
    ) -> tuple[np.ndarray, np.ndarray]:
        """log p(continuation | prompt) of n pairs, summed over its tokens, and their numbers; [n] each.

        The common beginning of all prompts is computed once.

        Raises:
            ValueError: an empty prompt or continuation, or a pair longer than the model can read.
        """
        before, behind = [self.ids(p) for p in prompts], [self.ids(c) for c in continuations]
        whole = [b + a for b, a in zip(before, behind, strict=True)]
        self._check(before, behind, max(map(len, whole), default=0))
        sums = np.empty(len(before))
        # a prompt's last token decides the first of its continuation: each row reads it
        shared = min(shared_start(whole), *(len(b) - 1 for b in before)) if len(before) > 1 else 0
        for rows, ids, mask, cache in self._batches(whole, shared, token_budget):
            longest = max(len(behind[row]) for row in rows)
            logits = self._read(ids, mask, keep=longest + 1, past_key_values=cache).logits[:, :-1]
            likely = log_softmax(logits.float(), dim=-1).gather(2, ids[:, -longest:, None])[..., 0]
            for place, row in enumerate(rows):
                sums[row] = float(likely[place, -len(behind[row]) :].sum())
        return sums, np.array([len(c) for c in behind])

    def label_log_likelihood(
        self, prompts: Sequence[str], labels: Sequence[str], token_budget: int = TOKEN_BUDGET
    ) -> np.ndarray:
        """log p(label | prompt), [n, C] float64.

        The common beginning of all prompts (an instruction, examples) is computed once, the rest of each
        prompt once, whatever the number of labels.

        Raises:
            ValueError: as `log_likelihood`.
        """
        before, behind = [self.ids(p) for p in prompts], [self.ids(label) for label in labels]
        most = max(map(len, behind), default=0)
        lengths = np.array([len(ids) for ids in before], dtype=np.int64)
        self._check(before, behind, int(lengths.max(initial=0)) + most)
        found = np.empty((len(before), len(behind)))
        for rows, ids, mask, cache in self._batches(before, shared_start(before), token_budget):
            read = self._read(ids, mask, keep=1, past_key_values=cache)
            first = log_softmax(read.logits[:, -1].float(), dim=-1)
            for column, label in enumerate(behind):
                sums = first[:, label[0]]
                if len(label) > 1:
                    sums = sums + self._rest(label, mask, read.past_key_values)
                found[rows, column] = sums.double().numpy()
        return found

    def write(self, prompts: Sequence[str], most_tokens: int = 16) -> list[str]:
        """Greedy continuation of each prompt, up to `most_tokens` tokens or the end-of-text token."""
        written: list[str] = [""] * len(prompts)
        lengths = np.array([len(self.ids(prompt)) for prompt in prompts], dtype=np.int64)
        self._check([[0] * int(n) for n in lengths], [[0]], int(lengths.max(initial=0)) + most_tokens)
        for rows in length_batches(lengths + most_tokens, token_budget=TOKEN_BUDGET):
            ids, mask = self._padded([self.ids(prompts[row]) for row in rows])
            with torch.inference_mode():
                found = self.model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=most_tokens,
                    do_sample=False,
                    pad_token_id=self.tokenizer.pad_token_id,
                )
            texts = self.tokenizer.batch_decode(found[:, ids.shape[1] :], skip_special_tokens=True)
            for row, text in zip(rows, texts, strict=True):
                written[row] = text
        return written

    @property
    def chats(self) -> bool:
        """Whether the model has a chat template."""
        return bool(self.tokenizer.chat_template)

    def chat(self, messages: Sequence[dict[str, str]]) -> str:
        """Messages (role, content) as one prompt that asks for the assistant's answer.

        Raises:
            BackboneError: the model has no chat template.
        """
        if not self.chats:
            raise BackboneError(f"{self.name} has no chat template: use plain prompts (chat=False)")
        return self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)

    def _batches(
        self, texts: list[list[int]], shared: int, token_budget: int
    ) -> Iterator[tuple[np.ndarray, Tensor, Tensor, DynamicCache]]:
        """Rows, ids behind the shared beginning, mask of the whole, a cache that read the beginning."""
        kept = None
        if shared:
            start = self._padded([texts[0][:shared]])
            kept = self._read(*start, keep=1, past_key_values=DynamicCache()).past_key_values
        # the cached beginning takes memory in every row, but no time
        weights = np.array([len(ids) for ids in texts], dtype=np.int64) - shared + shared // SHARED_DISCOUNT
        for rows in length_batches(weights, token_budget=token_budget):
            ids, mask = self._padded([texts[row][shared:] for row in rows])
            mask = torch.cat([mask.new_ones(len(rows), shared), mask], dim=1)
            cache = DynamicCache() if kept is None else copy.deepcopy(kept)
            if shared:
                cache.batch_repeat_interleave(len(rows))
            yield rows, ids, mask, cache

    def _rest(self, label: list[int], mask: Tensor, cache) -> Tensor:
        """[B]: log-likelihood of a label's tokens after its first."""
        rows = len(mask)
        ids = torch.tensor(label)[None].expand(rows, -1)
        wide = torch.cat([mask, mask.new_ones(rows, len(label) - 1)], dim=1)
        # a cache grows as it is read: each label gets a copy
        read = self._read(ids[:, :-1], wide, keep=len(label) - 1, past_key_values=copy.deepcopy(cache))
        likely = log_softmax(read.logits.float(), dim=-1).gather(2, ids[:, 1:, None])
        return likely[..., 0].sum(dim=1)

    def _read(self, ids: Tensor, mask: Tensor, keep: int, past_key_values: DynamicCache | None = None):
        # padding is on the left and must not shift positions
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        with torch.inference_mode():
            return self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                use_cache=past_key_values is not None,
                past_key_values=past_key_values,
                logits_to_keep=keep,
            )

    def _padded(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        return ids, mask

    def _check(self, before: list[list[int]], behind: list[list[int]], longest: int) -> None:
        for what, rows in (("prompt", before), ("continuation", behind)):
            if empty := [row for row, ids in enumerate(rows) if not ids]:
                raise ValueError(
                    f"{what} {empty[0]} is empty: a model needs a token to go on from, or to judge"
                )
        if longest > self.max_tokens:
            raise ValueError(
                f"{longest} tokens at once, {self.name} reads {self.max_tokens}: shorten the texts"
            )


def shared_start(rows: list[list[int]]) -> int:
    """Tokens that all rows begin with, so that each keeps at least one more; 0 for a single row."""
    if len(rows) < 2:
        return 0
    first, last = min(rows), max(rows)  # in lexicographic order these two differ earliest
    most = min(map(len, rows)) - 1
    return next((n for n in range(most) if first[n] != last[n]), most)


def load_generator(name: str = "smollm2-135m", seed: int = 0) -> Generator:
    """Load a generative model by name: float32, on the CPU.

    Args:
        name: "smollm2-135m" (packaged), "random-gpt" (small, random weights drawn from `seed`), a local
            folder or a hub name of a causal language model; safetensors only.

    Raises:
        BackboneError: the model cannot be loaded, or is no causal language model.

    Example:
        >>> generator = load_generator()
        >>> generator.write(["The capital of France is"], most_tokens=2)
        [' Paris.']
    """
    with quiet():
        if name == smollm2.MODEL.name:
            return Generator(*smollm2.load_generator(), name)
        if name == "random-gpt":
            tokenizer = random_tokenizer(name)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return Generator(GPT2LMHeadModel(random_config(name, tokenizer)), tokenizer, name)
        return _from_folder(name)


def _from_folder(name: str) -> Generator:
    folder = model_folder(name)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        if kind_of(config) != "decoder":
            raise BackboneError(f"{name!r} is an encoder ({config.model_type}): it writes nothing; use a GPT")
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except BackboneError:
        raise
    # a user's folder can be wrong in any way, and each library involved has its own exception for it
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise BackboneError(f"{name!r} ({folder}) could not be loaded as a generator ({reason})") from None
    if absent := sorted(report["missing_keys"]):
        # transformers would go on with random numbers in their place: of a head, of a layer
        raise BackboneError(
            f"{name!r} ({folder}): {len(absent)} parameters of {type(model).__name__} are not in the file, "
            f"first {absent[0]}: give the folder of a whole causal language model, head included"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Generator(model, tokenizer, name)
