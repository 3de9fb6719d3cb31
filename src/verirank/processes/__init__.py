"""Several processes as one: what torchrun started shares the work, and the first one speaks."""

from verirank.processes._board import Board
from verirank.processes._group import (
    any_process,
    collect,
    count,
    expect_same,
    is_first,
    joined,
    on_first,
    own_part,
    rank,
    sum_gradients,
    summed,
)
from verirank.processes._sharding import gathered, is_sharded, shard, sharded_like, whole

__all__ = [
    "Board",
    "any_process",
    "collect",
    "count",
    "expect_same",
    "gathered",
    "is_first",
    "is_sharded",
    "joined",
    "on_first",
    "own_part",
    "rank",
    "shard",
    "sharded_like",
    "sum_gradients",
    "summed",
    "whole",
]
