"""Is this answer right? Compared by kind, else by math-verify in workers that can be killed."""

from verirank.verifier._direct import Verdict, decide, kind_of
from verirank.verifier._functions import load_function
from verirank.verifier._lenient import LENIENT
from verirank.verifier._notation import closing_brace
from verirank.verifier._pool import FAILURES, UNVERIFIED
from verirank.verifier._reward import Grader, Reward, judged
from verirank.verifier._verifier import Verifier
from verirank.verifier.comparing import KINDS, STRICT, Policy
from verirank.verifier.sandbox import NO_SANDBOX, sandbox_lacks

NO_KIND = "other"
"""The kind of a gold that no rule reads, so that math-verify alone compares it."""

SANDBOXED_TESTS = "verirank.verifier.sandbox:run_tests"
"""The comparison of a program with its tests, for `Verifier.verify_many`."""

__all__ = [
    "FAILURES",
    "KINDS",
    "LENIENT",
    "NO_KIND",
    "NO_SANDBOX",
    "SANDBOXED_TESTS",
    "STRICT",
    "UNVERIFIED",
    "Grader",
    "Policy",
    "Reward",
    "Verdict",
    "Verifier",
    "closing_brace",
    "decide",
    "judged",
    "kind_of",
    "load_function",
    "sandbox_lacks",
]
