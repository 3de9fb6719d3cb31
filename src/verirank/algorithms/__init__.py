"""RL algorithms, one a file: which groups to keep, advantages, loss."""

from verirank.algorithms._algorithm import Algorithm, BatchTotals
from verirank.algorithms._group import Group
from verirank.algorithms._surrogate import LossSums, TokenBatch

__all__ = ["Algorithm", "BatchTotals", "Group", "LossSums", "TokenBatch"]
