"""Is this answer right? math-verify inside worker processes that can be killed."""

from verirank.verifier._notation import closing_brace
from verirank.verifier._verifier import Reward, Verifier

__all__ = ["Reward", "Verifier", "closing_brace"]
