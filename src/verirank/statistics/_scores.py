"""Scores of k sampled answers to each of P problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def avg_at_k(correct_PK: ArrayLike) -> float:
    """Return Avg@k, the mean correctness of every sample.

    Args:
        correct_PK: whether each of k samples of P problems is right; a missing or failed sample is
            a wrong one.

    Returns:
        A fraction of 1.

    Raises:
        ValueError: the array is not boolean, not P x K, or empty.
    """
    correct_PK = as_correct(correct_PK, ndim=2)
    return int(np.count_nonzero(correct_PK)) / correct_PK.size


def pass_at_k(correct_PK: ArrayLike, k: int) -> float:
    """Return Pass@k, the chance that k of a problem's samples hold a right one.

    The unbiased estimator 1 - C(n - c, k) / C(n, k) over n samples of which c are right, as a
    product (Chen et al., arXiv:2107.03374, eq. 1 and fig. 3).

    Args:
        correct_PK: whether each of n samples (n at least k) of P problems is right.
        k: the number of tries.

    Returns:
        A fraction of 1, the mean over problems.

    Raises:
        ValueError: the array is not boolean, not P x K, or empty, or k is not in 1..n.
    """
    correct_PK = as_correct(correct_PK, ndim=2)
    n = correct_PK.shape[1]
    if not 1 <= k <= n:
        raise ValueError(f"pass_at_k needs 1 <= k <= {n} samples a problem, not k = {k}")
    # all_wrong[c] = prod over i = n-c+1..n of (1 - k/i): exactly 0 once fewer than k are wrong.
    all_wrong = np.concatenate([[1.0], np.cumprod(1 - k / np.arange(n, 0, -1))])
    return float(1 - all_wrong[_counts(correct_PK).astype(np.intp)].mean())


def maj_at_k(answers_PK: Sequence[Sequence[Hashable | None]], correct_PK: ArrayLike) -> float:
    """Return maj@k, the expected correctness of the most frequent answer.

    A sample that states no answer (None) has no vote; where no sample of a problem states one, the
    problem is scored by its samples' correctness. Among equally frequent answers one is drawn at
    random, so each counts its share (self-consistency, arXiv:2203.11171).

    Args:
        answers_PK: the stated answers; equal ones vote together.
        correct_PK: whether each sample is right.

    Returns:
        A fraction of 1, the mean over problems.

    Raises:
        ValueError: `correct_PK` is not boolean, not P x K, or empty, or the shapes differ.
    """
    correct_PK = as_correct(correct_PK, ndim=2)
    if [len(answers) for answers in answers_PK] != [correct_PK.shape[1]] * len(correct_PK):
        raise ValueError(f"maj_at_k needs answers of the shape of correct, {correct_PK.shape}")
    pairs = zip(answers_PK, correct_PK, strict=True)
    return float(np.mean([_majority(answers, correct) for answers, correct in pairs]))


def _majority(answers: Sequence[Hashable | None], correct_K: BoolArray) -> float:
    votes = Counter(answer for answer in answers if answer is not None)
    most = max(votes.values(), default=0)
    # Winners have equally many samples, so their pooled mean gives each winner the same share.
    wins = [votes[answer] == most for answer in answers]
    return float(correct_K[wins].mean())


def accuracies(scores: ArrayLike) -> FloatArray:
    """Return S seeds' values of P problems, S x P.

    Args:
        scores: whether each sample is right, or values of `macro_average`, S x P x K.

    Raises:
        ValueError: neither, or a value is not finite.
    """
    samples = as_samples(scores)
    if samples.dtype == np.float64:
        return samples.mean(axis=2)
    return fraction_correct(as_correct(samples, ndim=3))


def fraction_correct(correct: BoolArray) -> FloatArray:
    """Return the means over the last axis, as `mean` has them to the bit."""
    fractions = _counts(correct)
    fractions /= correct.shape[-1]
    return fractions


def _counts(correct: BoolArray) -> FloatArray:
    """Return the right ones along the last axis.

    NumPy sums a short last axis number by number; a product with ones counts as exactly in a fifth
    of the time.
    """
    return correct @ np.ones(correct.shape[-1])


def as_finite(values: ArrayLike, *, ndim: int) -> FloatArray:
    """Return an array of finite numbers with `ndim` axes, or raise ValueError.

    A masked array is refused: `np.asarray` would use the values under its mask.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError("masked arrays are refused: score a missing or failed sample as wrong")
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != ndim or values.size == 0:
        raise ValueError(f"expected an array of {ndim} axes, not of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite: score a missing or failed sample as wrong")
    return values


def as_samples(scores: ArrayLike) -> BoolArray | FloatArray:
    """Return an array that `accuracies` takes, S x P x K, or raise ValueError."""
    if getattr(scores, "dtype", None) == np.float64:
        return as_finite(scores, ndim=3)
    array = np.asarray(scores)
    return as_finite(scores, ndim=3) if array.dtype == np.float64 else as_correct(scores, ndim=3)


def as_correct(correct: ArrayLike, *, ndim: int) -> BoolArray:
    """Return the array if it is boolean, has `ndim` axes and holds a sample, or raise ValueError.

    Floats are refused because a NaN among them would be a sample that is neither right nor wrong.
    """
    if isinstance(correct, np.ma.MaskedArray):
        raise ValueError("masked arrays are refused: score a missing or failed sample as wrong")
    correct = np.asarray(correct)
    if correct.dtype != np.bool_ or correct.ndim != ndim or correct.size == 0:
        raise ValueError(
            f"expected a boolean array of {ndim} axes, not {correct.dtype} of shape {correct.shape}"
        )
    return correct
