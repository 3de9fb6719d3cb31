"""Trees compared, by kind and exactly."""

from verirank.verifier.comparing._kinds import KINDS, NUMERIC_KINDS, is_number, kind_of_tree
from verirank.verifier.comparing._policy import STRICT, Policy, accepts
from verirank.verifier.comparing._same import same

__all__ = [
    "KINDS",
    "NUMERIC_KINDS",
    "STRICT",
    "Policy",
    "accepts",
    "is_number",
    "kind_of_tree",
    "same",
]
