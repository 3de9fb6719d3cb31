"""What methods forgot: losses on held-out text, and KL from the base."""

from verirank.ranking.retention._retained import Retained, measure_retained, write_retained

__all__ = ["Retained", "measure_retained", "write_retained"]
