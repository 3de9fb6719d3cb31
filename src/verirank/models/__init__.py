"""Base models: the built-in micro, SmolLM2, folders and hub ids; shapes for counting."""

import logging

from verirank.models._adapter_folder import StoredAdapter, read_adapter, write_base_of
from verirank.models._base_model import BaseModel, Reader, sha256_of
from verirank.models._device import deterministic, device_of
from verirank.models._form import (
    cache_key,
    decoder_layers,
    keep_distinct_layers,
    linears_of,
    norms_of,
)
from verirank.models._four_bit import FourBitLinear
from verirank.models._hub import why_refused
from verirank.models._load import (
    context_length,
    expect_model,
    is_four_bit,
    is_local,
    load_base,
    load_reader,
    load_shape,
    load_skeleton,
    load_tokenizer,
)
from verirank.models._selection import LINEARS, expect_there, path_of, selects
from verirank.models._shape import SHAPES, ModelShape, shape_of
from verirank.models._unfold import Location, fold, unfold

# Where it is installed, peft imports it, and it asks for a package of kernels that it does without.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

__all__ = [
    "LINEARS",
    "SHAPES",
    "BaseModel",
    "FourBitLinear",
    "Location",
    "ModelShape",
    "Reader",
    "StoredAdapter",
    "cache_key",
    "context_length",
    "decoder_layers",
    "deterministic",
    "device_of",
    "expect_model",
    "expect_there",
    "fold",
    "is_four_bit",
    "is_local",
    "keep_distinct_layers",
    "linears_of",
    "load_base",
    "load_reader",
    "load_shape",
    "load_skeleton",
    "load_tokenizer",
    "norms_of",
    "path_of",
    "read_adapter",
    "selects",
    "sha256_of",
    "shape_of",
    "unfold",
    "why_refused",
    "write_base_of",
]
