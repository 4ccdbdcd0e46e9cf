"""Layer and short name of a matrix inside a backbone, from its module path."""

import re


def layer_and_matrix(module: str) -> tuple[int, str]:
    """Layer number and short name of a module.

    A layer may hold several maps with the same last name, so the path within the layer is kept, without the
    parts that BERT gives to all: "attention.output" and "output" are two. Outside the layers: (−1, the name).

    Example:
        >>> layer_and_matrix("encoder.layer.3.attention.self.query")
        (3, 'query')
    """
    found = re.search(r"(?:^|\.)(\d+)\.(.+)", module)
    if found is None:
        return -1, module
    return int(found[1]), found[2].removeprefix("attention.self.").removesuffix(".dense")
