"""Code of an answer, run against tests in processes of its own that can do nothing else."""

from verirank.verifier.sandbox._run import NO_SANDBOX, run_tests, sandbox_lacks

__all__ = ["NO_SANDBOX", "run_tests", "sandbox_lacks"]
