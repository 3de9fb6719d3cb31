"""VeriRank: which PEFT method to use for reinforcement learning with verifiable rewards."""

__version__: str
__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("verirank")
    raise AttributeError(f"module 'verirank' has no attribute {name!r}")
