"""Base models: the built-in micro, SmolLM2, folders and hub ids; shapes for counting."""

from verirank.models._base_model import BaseModel, sha256_of
from verirank.models._device import device_of, strictly_in_order
from verirank.models._load import is_local, load_base, load_shape
from verirank.models._shape import LINEARS, SHAPES, ModelShape, shape_of

__all__ = [
    "LINEARS",
    "SHAPES",
    "BaseModel",
    "ModelShape",
    "device_of",
    "is_local",
    "load_base",
    "load_shape",
    "sha256_of",
    "shape_of",
    "strictly_in_order",
]
