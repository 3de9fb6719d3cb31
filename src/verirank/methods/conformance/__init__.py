"""Ten checks that prove that a method trains what it names, with real steps on a real model."""

from verirank.methods.conformance._fresh_process import StandIn, digest, digests_elsewhere
from verirank.methods.conformance._rehearsal import RandomData, Rehearsal
from verirank.methods.conformance._report import Check, Report, check_method, check_methods

__all__ = [
    "Check",
    "RandomData",
    "Rehearsal",
    "Report",
    "StandIn",
    "check_method",
    "check_methods",
    "digest",
    "digests_elsewhere",
]
