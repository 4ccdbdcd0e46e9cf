"""The network of the multilingual Universal Sentence Encoder, as torch modules that transformers can save.

B: texts. T: tokens. E: width of word vectors, 512. D: width of a branch, 256.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, relu
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel

# tokens of an n-gram, and how many of them stand before the token itself
ORDERS = ((2, 0), (3, 1), (5, 2))


class UseConfig(PreTrainedConfig):
    """Shape of the network; hidden_size is the width of its vectors."""

    model_type = "recsys-use"

    def __init__(
        self,
        vocab_size: int = 128_010,
        hidden_size: int = 512,
        branch_size: int = 256,
        middle_size: int = 320,
        chunks: int = 17,
        max_position_embeddings: int = 512,
        epsilon: float = 1e-12,
        **other,
    ):
        super().__init__(**other)
        self.vocab_size, self.hidden_size, self.branch_size = vocab_size, hidden_size, branch_size
        self.middle_size, self.chunks, self.epsilon = middle_size, chunks, epsilon
        self.max_position_embeddings = max_position_embeddings  # the model has no positions: bounds memory


class Branch(nn.Module):
    """Two residual convolutions over n-grams of one order; zeros outside the text."""

    def __init__(self, config: UseConfig, order: int, before: int):
        super().__init__()
        width = config.branch_size
        self.convolution1 = nn.Conv1d(width, width, order)
        self.convolution2 = nn.Conv1d(width, width, order)
        self.around = before, order - 1 - before

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """[B, T, D], zero at padding, and [B, T, 1], 1 at real tokens -> [B, T, D]."""
        for convolution in (self.convolution1, self.convolution2):
            y = convolution(pad(x.transpose(1, 2), self.around)).transpose(1, 2)
            x = (relu(y) + x) * real
        return x


class UseModel(PreTrainedModel):
    """Frozen: word vectors are kept as 8-bit numbers, each of the `chunks` tables with its own scale.

    Attributes:
        frozen: why it cannot be trained, for error messages.
        pools: True, because `forward` returns one vector per text and no states of tokens.
    """

    frozen = "its word vectors are 8-bit numbers, which no gradient can move"
    pools = True
    config_class = UseConfig
    base_model_prefix = "use"
    main_input_name = "input_ids"

    def __init__(self, config: UseConfig):
        super().__init__(config)
        size, middle = config.hidden_size, config.middle_size
        self.register_buffer("table", torch.zeros(config.vocab_size, size, dtype=torch.uint8))
        self.register_buffer("scale", torch.ones(config.chunks))
        self.register_buffer("low", torch.zeros(config.chunks))
        self.branches = nn.ModuleList(Branch(config, *order) for order in ORDERS)
        wide = len(ORDERS) * config.branch_size
        self.project, self.project_norm = nn.Linear(size, wide), nn.LayerNorm(wide, eps=config.epsilon)
        features = size + wide
        self.norm = nn.LayerNorm(features, eps=config.epsilon)
        self.output = nn.Linear(features, size)
        self.d0, self.p1 = nn.Linear(size, middle, bias=False), nn.Linear(size, middle, bias=False)
        self.d1 = nn.Linear(middle, middle, bias=False)
        self.d2, self.p3 = nn.Linear(middle, size, bias=False), nn.Linear(middle, size, bias=False)
        self.d3 = nn.Linear(size, size, bias=False)
        self.post_init()
        self.requires_grad_(False)

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing: weights are loaded, or drawn by `draw`."""

    def draw(self) -> None:
        """Random word vectors in [-1, 1]; the layers keep torch's own random weights."""
        self.table.copy_(torch.randint(0, 256, self.table.shape, dtype=torch.uint8))
        self.scale.fill_(2 / 255)
        self.low.fill_(-1.0)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d):
                module.reset_parameters()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T] int64 ids and mask -> [B, 512], of length 1."""
        chunk = input_ids % self.config.chunks
        words = self.table[input_ids].float() * self.scale[chunk][..., None] + self.low[chunk][..., None]
        real = (attention_mask != 0).float()[..., None]
        parts = (self.project_norm(self.project(words)) * real).chunk(len(ORDERS), dim=2)
        read = [branch(part, real) for branch, part in zip(self.branches, parts, strict=True)]
        found = torch.cat([words, *read], dim=2)
        counts = real.sum(dim=1)
        mean = self.output((self.norm(found) * real).sum(dim=1) / counts) * counts.sqrt()
        first = relu(self.p1(mean) + self.d1(relu(self.d0(mean))))
        return normalize(torch.tanh(self.p3(first) + self.d3(relu(self.d2(first)))), dim=1)


def register() -> None:
    """Let transformers' Auto classes load a saved folder of this architecture."""
    AutoConfig.register(UseConfig.model_type, UseConfig, exist_ok=True)
    AutoModel.register(UseConfig, UseModel, exist_ok=True)


def flops(model: UseModel, lengths: np.ndarray) -> int:
    """Floating-point operations of reading texts of so many tokens: of all matrices, those behind the mean
    once a text.
    """
    each = [model.project, *(m for branch in model.branches for m in branch.children())]
    once = [model.output, model.d0, model.d1, model.d2, model.d3, model.p1, model.p3]
    tokens, texts = int(lengths.sum()), len(lengths)
    return 2 * sum(n * m.weight.numel() for n, part in ((tokens, each), (texts, once)) for m in part)
