"""Bad news by a list of words: what a model has to beat. Chosen by meaning, before any count was made."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

ENGLISH = (
    "awful bad bankrupt bankruptcy bearish broke broken cheated complaint crash crisis cut cuts "
    "damage damaged decline defect defective disappointed disappointing downgrade drop drops "
    "fail failed fails fall falls falling fault faulty fell fine fined flaw fraud fraudulent "
    "hate horrible investigation junk lawsuit lawsuits layoff layoffs lose loses loss losses "
    "lost miss missed misses negative never plunge plunges poor probe problem problems recall "
    "recalls refund regret return returned risk scam scandal scratched selloff sink sinks slump "
    "strike sue sued sues terrible trouble unhappy useless warning warns waste weak worse worst "
    "wrong"
)
CHINESE = (
    "亏损 预亏 巨亏 下滑 下降 下跌 大跌 暴跌 跌停 减持 减少 违约 违规 违法 处罚 罚款 "
    "立案 调查 诉讼 起诉 仲裁 冻结 质押 平仓 爆仓 警示 风险 退市 事故 死亡 失联 造假 "
    "终止 停产 停牌 裁员 辞职 逾期 债务 破产 问询 谴责 差 坏 烂 假 失望 垃圾 "
    "退货 后悔 不好 不行"
)
LISTED = re.compile(
    rf"\b(?:{'|'.join(ENGLISH.split())})\b|{'|'.join(CHINESE.split())}",
    re.IGNORECASE,
)


def listed(texts: Iterable[str]) -> np.ndarray:
    """[N] bool: whether a text holds a word of the lists.

    Example:
        >>> listed(["Broke within a week.", "Perfect."])
        array([ True, False])
    """
    return np.array([LISTED.search(text) is not None for text in texts], dtype=bool)
