"""Golds of sets and benches: their kinds, and whether the verifier tells them apart."""

from verirank.tasks.golds._confusion import Confusion, find_confusion
from verirank.tasks.golds._gold_kinds import GoldKinds, gold_kinds

__all__ = ["Confusion", "GoldKinds", "find_confusion", "gold_kinds"]
