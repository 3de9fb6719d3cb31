"""The PEFT methods, one a file, and the checks that prove each is what it says."""

from verirank.methods._adapter import Adapter, adapted_layers
from verirank.methods._adapters_of import adapter_of, lora_adapter
from verirank.methods._fits import expect_fits
from verirank.methods._low_rank import LowRankMethod
from verirank.methods._method import Method, create_method, default_methods, method_config
from verirank.methods._plain_model import plain_model
from verirank.methods._policy import DivergedError, Policy
from verirank.methods._start_data import StartData, gradients_of, see_inputs
from verirank.methods._storage import load_policy, save_policy
from verirank.methods._tensor_file import write_tensors
from verirank.methods.conformance import (
    Check,
    RandomData,
    Report,
    StandIn,
    check_method,
    check_methods,
)

__all__ = [
    "Adapter",
    "Check",
    "DivergedError",
    "LowRankMethod",
    "Method",
    "Policy",
    "RandomData",
    "Report",
    "StandIn",
    "StartData",
    "adapted_layers",
    "adapter_of",
    "check_method",
    "check_methods",
    "create_method",
    "default_methods",
    "expect_fits",
    "gradients_of",
    "load_policy",
    "lora_adapter",
    "method_config",
    "plain_model",
    "save_policy",
    "see_inputs",
    "write_tensors",
]
