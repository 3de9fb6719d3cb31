"""VeriRank: which PEFT method to use for reinforcement learning with verifiable rewards."""

from importlib.metadata import version

__version__ = version("verirank")
__all__ = ["__version__"]
