"""Words of the figures of the service."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "service-figures": ("服务指标", "Service figures"),
    "service-of": ("基数", "Of"),
    "service-all": ("全部", "All"),
    "service-none": ("本月没有工单。", "No tickets in this month."),
    "service-list": ("查看 {n} 张工单", "See the tickets: {n}"),
    "service-by-all": ("全部", "All together"),
    "service-by-severity": ("按等级", "By class"),
    "service-by-place": ("按楼栋", "By building"),
    "service-by-crew": ("按班组", "By crew"),
    "service-by-contractor": ("按外包单位", "By contractor"),
    "service-by-source": ("按来源", "By source"),
    "service-before": ("上月", "Month before"),
    "service-after": ("下月", "Month after"),
}
