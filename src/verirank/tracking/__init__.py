"""Experiment trackers are told how a run goes, by accelerate; metrics.jsonl stays the truth."""

from verirank.tracking._tracking import (
    TrackerUnavailableError,
    Tracking,
    expect_trackers,
    tracked,
)

__all__ = ["TrackerUnavailableError", "Tracking", "expect_trackers", "tracked"]
