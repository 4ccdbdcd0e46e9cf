"""The registry of methods beside peft's own."""

import peft

from recsys.encoders.peft.registry import FAILS, METHODS, get_method


def test_every_method_of_peft_is_here_or_named_as_failing():
    known = {method.config for method in METHODS.values()}
    left_out = [
        kind.value.lower()
        for kind, config in peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING.items()
        if config.__name__ not in known and not any(kind.value.lower().startswith(name) for name in FAILS)
    ]
    assert left_out == []


def test_registry():
    assert len(METHODS) >= 40
    assert not METHODS.keys() & FAILS.keys()
    assert get_method("last-2") is METHODS["last-1"]
    assert {"encoder", "decoder"} == {kind for m in METHODS.values() for kind in m.kinds}
