"""Rules on stored, recorded and simulated history, without a database or a hub."""

from hub.backtest.history import History, of_entries, of_journal, of_store
from hub.backtest.labels import read_labels
from hub.backtest.trial import Trial, try_out

__all__ = ["History", "Trial", "of_entries", "of_journal", "of_store", "read_labels", "try_out"]
