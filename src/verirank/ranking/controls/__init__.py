"""Controls: trials that are taught something else than right answers, and what they explain."""

from verirank.ranking.controls._controls import Controls, Explained, measure_controls

__all__ = ["Controls", "Explained", "measure_controls"]
