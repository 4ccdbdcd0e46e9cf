import copy

import pytest
import torch

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.tokens import tokenise
from recsys.models.labelled import task_files
from recsys.models.labelled.pair_grader import PairGrader
from recsys.models.labelled.sequence_classifier import SequenceClassifier
from recsys.models.labelled.task_files import HEAD, load_task, save_task

TEXTS = ["a red summer dress", "boots", ""]


def predictions(network):
    tokens = tokenise(network.backbone, TEXTS).take(range(3))
    pair = tokens if isinstance(network, PairGrader) else ()
    with torch.inference_mode():
        return network.eval()(*tokens, *pair)


def trained(kind, method):
    """A network whose learning parameters, the head's too, have all been moved."""
    network = kind(load_backbone("random-bert"))
    apply_method(network.backbone, method)
    stream = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=stream)
    return network


def classifier(backbone):
    return SequenceClassifier(backbone, 5)


@pytest.mark.parametrize("method", ["lora", "adalora", "prefix", "bitfit", "houlsby", "full", "frozen"])
@pytest.mark.parametrize("kind", [classifier, PairGrader])
def test_reloaded_it_predicts_the_same_bits(kind, method, tmp_path):
    network = trained(kind, method)
    expected = predictions(network)
    size = save_task(network, tmp_path)
    assert size == sum(file.stat().st_size for file in tmp_path.iterdir())
    other = kind(load_backbone("random-bert"))
    assert not torch.equal(predictions(other), expected)
    assert torch.equal(predictions(load_task(other, tmp_path)), expected)


def test_what_does_not_fit_is_refused_and_nothing_is_changed(tmp_path):
    with pytest.raises(ValueError, match=r"holds no task: head.safetensors is not there"):
        load_task(classifier(load_backbone("random-bert")), tmp_path)
    save_task(trained(classifier, "lora"), tmp_path)
    other = SequenceClassifier(load_backbone("random-bert"), 3)
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(ValueError, match=r"another task's: its head is .*\(5, 64\).*here it is .*\(3, 64\)"):
        load_task(other, tmp_path)
    assert all(torch.equal(before[name], tensor) for name, tensor in other.state_dict().items())
    with pytest.raises(ValueError, match="no method applied"):
        save_task(other, tmp_path)


def test_a_damaged_head_is_told_in_one_line(tmp_path):
    save_task(trained(classifier, "lora"), tmp_path)
    head = tmp_path / "head.safetensors"
    head.write_bytes(head.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"head.safetensors is damaged"):
        load_task(classifier(load_backbone("random-bert")), tmp_path)


def test_a_head_is_never_paired_with_another_task_s_adapter(tmp_path, monkeypatch):
    """Saving was killed between the two files, or a folder was copied together from two tasks."""
    first, second = trained(classifier, "lora"), trained(classifier, "lora")
    with torch.no_grad():
        for parameter in second.parameters():
            if parameter.requires_grad:
                parameter.mul_(1.5)
    save_task(first, tmp_path / "first")
    save_task(second, tmp_path / "second")
    expected = predictions(second)
    (tmp_path / "second" / HEAD).replace(tmp_path / "first" / HEAD)
    with pytest.raises(ValueError, match="was not saved with the adapter beside it"):
        load_task(classifier(load_backbone("random-bert")), tmp_path / "first")
    save_task(second, tmp_path / "second")
    monkeypatch.setattr(task_files, "save_file", killed)
    with pytest.raises(KeyboardInterrupt):
        save_task(first, tmp_path / "second")
    with pytest.raises(ValueError, match="was not saved with the adapter beside it"):
        load_task(classifier(load_backbone("random-bert")), tmp_path / "second")
    monkeypatch.undo()
    save_task(second, tmp_path / "second")
    loaded = load_task(classifier(load_backbone("random-bert")), tmp_path / "second")
    assert torch.equal(predictions(loaded), expected)


def killed(*_, **__):
    raise KeyboardInterrupt
