"""The comparison of a task that accepts more than the rules do."""

from __future__ import annotations

from verirank.verifier._direct import EQUALITY, decide
from verirank.verifier._functions import load_function
from verirank.verifier.comparing import Policy

LENIENT = "verirank.verifier._lenient:compare_leniently"
"""The comparison of tasks that accept rounded decimals, and a gold's number with a percent sign."""


def compare_leniently(gold: str, prediction: str) -> tuple[bool, str]:
    """Compare as a task does that accepts rounded decimals and a gold's number with a percent sign.

    A task names it as its comparison: `verirank.verifier.LENIENT`.
    """
    if verdict := decide(gold, prediction, Policy(rounded_decimals=True, bare_percent=True)):
        return verdict.correct, verdict.reason
    return load_function(EQUALITY)(gold, prediction)
