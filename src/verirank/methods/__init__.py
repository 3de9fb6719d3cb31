"""The PEFT methods, one a file, and the checks that prove each is what it says."""

from verirank.methods._adapter import Adapter, lora_adapter
from verirank.methods._method import Method
from verirank.methods._plain_model import plain_model
from verirank.methods._policy import DivergedError, Policy
from verirank.methods._registry import create_method, default_methods, method_config
from verirank.methods._storage import load_policy, save_policy, write_tensors
from verirank.methods.conformance import (
    Check,
    Report,
    StandIn,
    check_method,
    check_methods,
)

__all__ = [
    "Adapter",
    "Check",
    "DivergedError",
    "Method",
    "Policy",
    "Report",
    "StandIn",
    "check_method",
    "check_methods",
    "create_method",
    "default_methods",
    "load_policy",
    "lora_adapter",
    "method_config",
    "plain_model",
    "save_policy",
    "write_tensors",
]
