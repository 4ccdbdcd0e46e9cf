"""What each modality costs, as one table: encoding time, memory, parameters, and how many items have it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from recsys.multimodal.features import Features


def cost_table(features: Mapping[str, Features]) -> pd.DataFrame:
    """One row per modality: width, share of items that have it, encoding time (ms per item), MB, parameters,
    and the number of undecodable files.

    "ms an item" is empty where every vector came from the feature store, so that nothing was encoded now.
    """
    rows = []
    for name, one in features.items():
        made = one.costs.get("encoded", 0.0)
        rows.append(
            {
                "modality": name,
                "width": one.width,
                "present": f"{one.present.mean():.1%}",
                "decoded now": int(one.costs.get("decoded", 0)),
                "ms an item": f"{1000 * one.costs.get('seconds', 0.0) / made:.1f}" if made else "",
                "MB": round(one.costs.get("megabytes", 0.0), 2),
                "parameters": f"{int(one.costs.get('parameters', 0)):,}",
                "faults": len(one.faults),
            }
        )
    return pd.DataFrame(rows, columns=list(rows[0]) if rows else None)
