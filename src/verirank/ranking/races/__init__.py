"""How races ended, as a report shows them."""

from verirank.ranking.races._arm_ends import Race, RaceArm, read_races

__all__ = ["Race", "RaceArm", "read_races"]
