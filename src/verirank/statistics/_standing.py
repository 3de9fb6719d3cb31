"""The order of arms that follows from their tests, also where arms have different seeds.

An arm's mean over seeds that another lacks says nothing of the two: the seeds may be lucky ones. So
means are made comparable by the differences on shared seeds, and no arm stands before one that is
significantly better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from verirank.statistics._mean_tests import MeanTests
from verirank.statistics._scores import FloatArray

_ROUNDING = 1e-9
_BoolArray = NDArray[np.bool_]


def comparable_means(own_M: FloatArray, tests: MeanTests) -> FloatArray:
    """Return means of M arms whose differences are those on shared seeds, by least squares.

    Pairs weigh by the seeds that they share. Arms that are linked by tests keep the mean of their
    own means; an arm without a test keeps its own. With equal seeds all do.

    Args:
        own_M: of each over all of its seeds.
        tests: of every pair in the order of `np.triu_indices(M, k=1)`.
    """
    first_N, second_N = np.triu_indices(len(own_M), k=1)
    off_N = np.abs(own_M[first_N] - own_M[second_N] - tests.mean_N)
    if not np.any(off_N[tests.is_tested_N] > _ROUNDING):
        return own_M
    seeds_MM = _symmetric(tests.seeds_N.astype(np.float64), len(own_M))
    laplacian_MM = np.diag(seeds_MM.sum(axis=1)) - seeds_MM
    pull_N = tests.seeds_N * tests.mean_N
    pull_M = np.bincount(first_N, pull_N, len(own_M)) - np.bincount(second_N, pull_N, len(own_M))
    mean_M = np.linalg.pinv(laplacian_MM, hermitian=True) @ pull_M
    linked_MM = reachable(seeds_MM > 0) | np.eye(len(own_M), dtype=np.bool_)
    return mean_M + linked_MM @ own_M / linked_MM.sum(axis=1)


def own_variances(tests: MeanTests, arms: int) -> FloatArray:
    """Return each arm's own part in the variances of its tested differences, by least squares.

    What moves all arms alike, as a hard problem does, is no part of it. NaN of an arm without a
    test, of which nothing is known.
    """
    tested_MM = _symmetric(tests.is_tested_N.astype(np.float64), arms)
    row_M = _symmetric(np.where(tests.is_tested_N, tests.variance_N, 0.0), arms).sum(axis=1)
    count_M = tested_MM.sum(axis=1)
    own_M = np.linalg.pinv(np.diag(count_M) + tested_MM, hermitian=True) @ row_M
    own_M[count_M == 0] = np.nan
    known_M = own_M[count_M > 0]
    return np.maximum(own_M, known_M.mean() / 20) if len(known_M) else own_M


def standing_order(better_MM: _BoolArray, mean_M: FloatArray) -> list[int]:
    """Return arms by their means, but none before one that is better.

    Args:
        better_MM: whether the row's arm is better than the column's, without contradictions.
        mean_M: of each.
    """
    left, order = np.argsort(-mean_M, kind="stable").tolist(), list[int]()
    beaten_M = better_MM.sum(axis=0)
    while left:
        leader = next(m for m in left if not beaten_M[m])
        left.remove(leader)
        order.append(leader)
        beaten_M = beaten_M - better_MM[leader]
    return order


def without_contradictions(better_MM: _BoolArray) -> _BoolArray:
    """Return which arm is better, without pairs of which either is better by way of others.

    Tests on different seeds can find a better than b, b than c, and c than a.
    """
    if not np.tril(better_MM).any():
        return better_MM
    return better_MM & ~reachable(better_MM).T


def reachable(step_MM: _BoolArray) -> _BoolArray:
    """Return which arms can be reached from which in one step or more."""
    reached_MM = step_MM
    for _ in range(max(1, len(step_MM)).bit_length()):
        paths_MM = reached_MM.astype(np.float32) @ reached_MM.astype(np.float32)
        reached_MM = reached_MM | (paths_MM > 0)
    return reached_MM


def reordered(tests: MeanTests, order: Sequence[int]) -> MeanTests:
    """Return the tests of every pair of arms in another order."""
    index_MM = np.zeros((len(order),) * 2, dtype=np.intp)
    first_N, second_N = np.triu_indices(len(order), k=1)
    index_MM[first_N, second_N] = index_MM[second_N, first_N] = np.arange(len(first_N))
    from_M = np.array(order, dtype=np.intp)
    a_N, b_N = from_M[first_N], from_M[second_N]
    at_N, turned_N = index_MM[a_N, b_N], a_N > b_N
    moved = MeanTests(**{one.name: getattr(tests, one.name)[at_N] for one in fields(tests)})
    moved.mean_N[turned_N] *= -1
    moved.low_N[turned_N], moved.high_N[turned_N] = -moved.high_N[turned_N], -moved.low_N[turned_N]
    return moved


def _symmetric(value_N: FloatArray, arms: int) -> FloatArray:
    value_MM = np.zeros((arms, arms))
    value_MM[np.triu_indices(arms, k=1)] = value_N
    return value_MM + value_MM.T
