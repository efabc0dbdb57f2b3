"""Words of what use costs."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "cost": ("费用", "Cost"),
    "cost-note": (
        "按当时有效的电价版本计算，仅账单行取整；缺失的用量没有计入。",
        "By the tariff version then in force; only lines are rounded; missing use is not billed.",
    ),
    "cost-none": (
        "配置文件夹中没有 tariffs.yaml，无法计算费用；可参照程序自带的 config/tariffs.yaml。",
        "No tariffs.yaml in the config folder, no prices; config/tariffs.yaml is one to copy.",
    ),
    "cost-refused": ("无法计价：{reason}", "Cannot be priced: {reason}"),
    "cost-bill": ("账单", "Bill"),
    "cost-lines": ("逐行查看", "Line by line"),
    "cost-price": ("单价", "Price"),
    "cost-quantity": ("数量", "Quantity"),
    "cost-amount": ("金额", "Amount"),
    "cost-estimated": ("其中估算 {amount}", "{amount} of it estimated"),
    "cost-between": ("介于 {low} 与 {high} 之间", "between {low} and {high}"),
    "cost-part": ("本月的 {share}", "{share} of the month"),
    "cost-missing": ("缺失 {share}", "{share} missing"),
    "demand": ("需量（15 分钟）", "Demand (15 min)"),
    "demand-highest": ("最高", "Highest"),
    "demand-running": ("当前窗口预计", "Running window, expected"),
    "demand-known": ("{share} 的窗口有读数", "{share} of the windows are known"),
    "demand-unknown": ("读数不足，无法预测", "too few readings to forecast"),
    "demand-limit": ("合同 {kw} kW", "contract {kw} kW"),
    "demand-possible": ("可能超出合同需量", "may go above the contract"),
    "demand-likely": ("预计超出合同需量", "likely to go above the contract"),
    "demand-passed": ("已超出合同需量", "above the contract already"),
}
