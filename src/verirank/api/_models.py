"""Models by name."""

from __future__ import annotations

from verirank.config import resolve
from verirank.models import BaseModel, load_base


def load_model(
    name: str = "micro",
    *,
    dtype: str = "float32",
    revision: str | None = None,
    adapter: str | None = None,
    quantization: str | None = None,
    device: str = "cpu",
) -> BaseModel:
    """Load a frozen base model with its tokenizer.

    Args:
        name: `micro`, `smollm2`, a folder, or a Hub id.
        dtype: of the weights, `float32` or `bfloat16`.
        revision: a commit, branch or tag on the Hub.
        adapter: the folder of an adapter of peft, which is merged into the weights.
        quantization: `nf4` holds the linear layers in 4 bits.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest that is there.

    Returns:
        The model; `.model` and `.tokenizer` are those of transformers.

    Raises:
        InputError: the model cannot be found or loaded, or there is no such device.

    Example:
        >>> import verirank
        >>> verirank.load_model("micro")
        BaseModel('micro', 791,552 parameters, float32 on cpu)
    """
    described = {
        "name": name,
        "dtype": dtype,
        "revision": revision,
        "adapter": adapter,
        "quantization": quantization,
    }
    return load_base(resolve({"model": described}).model, device)
