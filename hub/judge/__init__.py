"""The daily look: the rules that look back over days, judged when a day is over."""

from hub.judge.daily import MADE_UP, DailyLook
from hub.judge.look import Look
from hub.judge.nights import JUDGE_AT, Nights
from hub.judge.reader import Reader

__all__ = ["JUDGE_AT", "MADE_UP", "DailyLook", "Look", "Nights", "Reader"]
