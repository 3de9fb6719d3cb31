"""The three forms that a policy can leave in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from verirank.config import InputError
from verirank.methods import Policy, adapter_of, lora_adapter, plain_model
from verirank.models import write_base_of

Form = Literal["merged", "adapter", "lora"]
FORMS: tuple[Form, ...] = get_args(Form)
"""A plain model for transformers; the method's own adapter for peft; a plain LoRA of scale 1."""


def write_policy(policy: Policy, form: Form, folder: Path) -> None:
    """Write a policy into a folder from which transformers or peft loads it.

    `merged` holds the weights that VeriRank's sampler serves: computed in fp32 and cast once to the
    base's dtype. The other two hold fp32 tensors and need the same base.

    Args:
        policy: what to write.
        form: one of `FORMS`.
        folder: is made if missing; whoever needs an atomic write renames it afterwards.

    Raises:
        InputError: the method has no such form; nothing is written.
    """
    if form == "merged":
        plain_model(policy, policy.base.dtype).save_pretrained(folder)
        policy.base.tokenizer.save_pretrained(folder)
        return
    if merged := policy.under.config.adapter:
        raise InputError(
            f"the run's base is {policy.base.config.name} with the adapter {merged} merged into "
            "it, which another adapter cannot stand on; export it as merged"
        )
    adapter = adapter_of(policy) if form == "adapter" else lora_adapter(policy)
    folder.mkdir(parents=True, exist_ok=True)
    adapter.write(folder)
    write_base_of(folder, policy.under)
