"""A record notes the weights of a user's own folder, and no path of packages or of the kit's cache."""

import sysconfig

import pytest

from recsys.data.files.locations import cache_folder
from recsys.runs.execution.completion import _installed


@pytest.mark.parametrize(
    ("key", "installed"),
    [
        (f"weights of {sysconfig.get_path('purelib')}/a_package/model/config.json", True),
        (f"weights of {cache_folder()}/speed/an_artefact/backbone/model.safetensors", True),
        ("weights of ~/my_encoder/model.safetensors", False),
        ("weights of models/mine/config.json", False),
        ("beauty/Beauty.txt", False),
    ],
)
def test_only_weights_of_packages_and_cache_are_left_out(key, installed):
    assert _installed(key) is installed
