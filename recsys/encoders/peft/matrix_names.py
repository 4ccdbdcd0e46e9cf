"""Where a matrix of a backbone stands: its layer, and its name there."""

import re


def layer_and_matrix(module: str) -> tuple[int, str]:
    """Of a module's name, such as "encoder.layer.3.attention.self.query": (3, "query").

    A layer may hold several maps of the same last name, so the path within the layer stays but for the parts
    that BERT gives to all: "attention.output" and "output" are two. Outside the layers: (-1, the name).
    """
    found = re.search(r"(?:^|\.)(\d+)\.(.+)", module)
    if found is None:
        return -1, module
    return int(found[1]), found[2].removeprefix("attention.self.").removesuffix(".dense")
