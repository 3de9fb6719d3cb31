"""Several processes as one: what torchrun started shares the work, and the first one speaks."""

from verirank.processes._group import (
    any_process,
    collect,
    count,
    expect_same,
    is_first,
    joined,
    on_first,
    rank,
    share,
    sum_gradients,
    summed,
)
from verirank.processes._sharding import gathered, is_sharded, shard, sharded_like, whole

__all__ = [
    "any_process",
    "collect",
    "count",
    "expect_same",
    "gathered",
    "is_first",
    "is_sharded",
    "joined",
    "on_first",
    "rank",
    "shard",
    "sharded_like",
    "share",
    "sum_gradients",
    "summed",
    "whole",
]
