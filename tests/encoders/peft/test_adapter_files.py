import copy
import json
import tracemalloc

import psutil
import pytest
import torch

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.adapter_files import AdapterBank, load_adapter, save_adapter
from recsys.encoders.peft.applied import adapter_tensors
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.tokens import tokenise

TEXTS = ["a red summer dress", "boots"]


def own(backbone):
    """A copy that may be changed; the tokenizer, slow to copy, is shared."""
    return copy.deepcopy(backbone, {id(backbone.tokenizer): backbone.tokenizer})


def vectors(backbone):
    with torch.no_grad():
        return backbone(*tokenise(backbone, TEXTS).take([0, 1]))


def task(bare, name, seed, **options):
    """A backbone whose adapter has some weights that no other seed has."""
    backbone = own(bare)
    apply_method(backbone, name, seed=seed, **options)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in adapter_tensors(backbone).values():
            if tensor.requires_grad:
                tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return backbone


@pytest.mark.parametrize("name", ["lora", "vera", "prefix", "p_tuning", "bitfit", "houlsby", "ia3"])
def test_a_thousand_switches_leak_nothing_and_take_no_memory(bert, name, tmp_path):
    tasks = {f"task{seed}": task(bert, name, seed) for seed in (1, 2)}
    expected = {label: vectors(backbone) for label, backbone in tasks.items()}
    assert not torch.equal(*expected.values())
    save_adapter(tasks["task2"], tmp_path)
    bank = AdapterBank(tasks["task1"], "task1")
    bank.add("task2", tmp_path)
    assert bank.active == "task1"
    process, sizes, places = psutil.Process(), [], {}
    tracemalloc.start()
    for turn in range(1000):
        label = f"task{1 + turn % 2}"
        bank.activate(label)
        live = [tensor.data_ptr() for tensor in adapter_tensors(bank.backbone).values()]
        assert places.setdefault(label, live) == live, "a switch has copied"
        if turn % 50 < 2:
            assert torch.equal(vectors(bank.backbone), expected[label])
        if turn in (200, 999):
            sizes.append((tracemalloc.get_traced_memory()[0], process.memory_info().rss))
    tracemalloc.stop()
    assert sizes[1][0] - sizes[0][0] < 100_000  # of Python's objects, over 800 switches
    assert sizes[1][1] - sizes[0][1] < 16 * 2**20


def test_one_request_with_another_adapter(bert, tmp_path):
    first, second = task(bert, "lora", 1), task(bert, "lora", 2)
    save_adapter(second, tmp_path)
    bank = AdapterBank(first, "shop")
    bank.add("blog", tmp_path)
    mine = vectors(first)
    with bank.using("blog") as backbone:
        assert torch.equal(vectors(backbone), vectors(second))
    assert torch.equal(vectors(first), mine)
    with pytest.raises(ZeroDivisionError), bank.using("blog"):
        _ = 1 / 0  # a request that fails
    assert torch.equal(vectors(first), mine)
    assert len(bank) == 2
    with pytest.raises(ValueError, match="one of shop, blog, not 'news'"):
        bank.activate("news")
    with pytest.raises(ValueError, match="already"):
        bank.add("blog", tmp_path)


def test_adapters_that_do_not_fit_are_refused(bert, tmp_path):
    bank = AdapterBank(task(bert, "lora", 1))
    for label, other in (("method", task(bert, "bitfit", 2)), ("options", task(bert, "lora", 2, r=4))):
        save_adapter(other, tmp_path / label)
        with pytest.raises(ValueError, match=f"its {label} is"):
            bank.add("other", tmp_path / label)
    stranger = load_backbone("random-bert", seed=7)
    with pytest.raises(ValueError, match="another backbone"):
        load_adapter(stranger, tmp_path / "method")
    with pytest.raises(ValueError, match="'lora' applied already"):
        load_adapter(bank.backbone, tmp_path / "method")


def test_broken_folders(bert, tmp_path):
    with pytest.raises(ValueError, match=r"adapter.json, adapter.safetensors is not there"):
        load_adapter(own(bert), tmp_path)
    save_adapter(task(bert, "lora", 1), tmp_path)
    record = json.loads((tmp_path / "adapter.json").read_text())
    (tmp_path / "adapter.json").write_text(json.dumps(record | {"format": 9}))
    with pytest.raises(ValueError, match="format 9"):
        load_adapter(own(bert), tmp_path)
    record["options"]["r"] = 4
    (tmp_path / "adapter.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="tensors differ, first"):
        load_adapter(own(bert), tmp_path)
    with pytest.raises(ValueError, match="no method applied"):
        save_adapter(own(bert), tmp_path)


def test_disk_cost_of_ten_tasks_is_that_of_the_adapters(bert, tmp_path):
    sizes = [save_adapter(task(bert, "lora", seed), tmp_path / str(seed)) for seed in range(10)]
    assert sum(sizes) == sum(
        file.stat().st_size for seed in range(10) for file in (tmp_path / str(seed)).iterdir()
    )
    assert max(sizes) < 4 * 4096 + 3000  # 4,096 numbers, names, options
    bert.save(tmp_path / "plain")
    assert sum(sizes) < 0.05 * (tmp_path / "plain" / "model.safetensors").stat().st_size
    # drawn from a seed again, not stored
    assert save_adapter(task(bert, "vera", 1), tmp_path / "vera") < 4 * 512 + 3000


def changed_words(bert):
    words = bert.model.get_input_embeddings().weight
    words.data[1:] += 0.5  # [PAD], the first row, gets no gradient, so tuning leaves it as it is


def changed_heads(bert):
    bert.model.config.num_attention_heads *= 2  # the same weights, another function


def changed_last_number(bert):
    list(bert.model.parameters())[-1].data.view(-1)[-1] += 0.01


def changed_pooling(bert):
    bert.pooling = "cls"


@pytest.mark.parametrize("change", [changed_words, changed_heads, changed_last_number, changed_pooling])
def test_a_backbone_that_differs_anywhere_is_another_one(bert, tmp_path, change):
    """Of each tensor the first 64 numbers alone were compared."""
    save_adapter(task(bert, "lora", 1), tmp_path)
    other = own(bert)
    change(other)
    with pytest.raises(ValueError, match="another backbone"):
        load_adapter(other, tmp_path)
    load_adapter(own(bert), tmp_path)


def spoilt(folder, name, content):
    path = folder / name
    path.write_bytes(content(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("adapter.safetensors", lambda whole: whole[: len(whole) // 2]),
        ("adapter.safetensors", lambda whole: whole[:-1] + bytes([whole[-1] ^ 1])),
        ("adapter.safetensors", lambda whole: b""),
        ("adapter.json", lambda whole: whole[: len(whole) // 2]),
        ("adapter.json", lambda whole: b"\xff\xfe\x00"),
        ("adapter.json", lambda whole: b"[1]"),
        ("adapter.json", lambda whole: b'{"format": 2}'),
        ("adapter.json", lambda whole: whole.replace(b'"r"', b'"q"')),
        ("adapter.json", lambda whole: whole.replace(b'"lora"', b'"lora-2"')),
    ],
)
def test_a_damaged_adapter_is_told_in_one_line(bert, tmp_path, name, content):
    save_adapter(task(bert, "lora", 1, r=4), tmp_path)
    spoilt(tmp_path, name, content)
    with pytest.raises(ValueError) as told:
        load_adapter(own(bert), tmp_path)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 600


def test_weights_beside_the_record_of_another_saving_are_refused(bert, tmp_path):
    """A kill between the two files once left such a folder, and it loaded."""
    for seed in (1, 2):
        save_adapter(task(bert, "lora", seed), tmp_path / str(seed))
    (tmp_path / "1" / "adapter.safetensors").write_bytes((tmp_path / "2/adapter.safetensors").read_bytes())
    with pytest.raises(ValueError, match="not the record's"):
        load_adapter(own(bert), tmp_path / "1")


def test_an_adapter_that_cannot_be_written_is_told_in_one_line(bert, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written to .*: "):
        save_adapter(task(bert, "lora", 1), tmp_path / "file" / "adapter")
