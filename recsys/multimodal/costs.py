"""What each modality costs, in one table: time, memory, parameters, and how many items have it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from recsys.multimodal.features import Features


def cost_table(features: Mapping[str, Features]) -> pd.DataFrame:
    """One row a modality: width, share of items that have it, ms an item encoded now, MB, parameters, faults.

    "ms an item" is empty where everything came from the store (nothing was decoded or encoded now).
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
