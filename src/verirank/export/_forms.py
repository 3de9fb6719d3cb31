"""The three forms that a policy can leave in."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Literal, get_args

from verirank.config import InputError
from verirank.methods import Policy, adapter_of, lora_adapter, plain_model
from verirank.models import BaseModel, write_base_of

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
        InputError: the method has no such form, or peft would not find all of its tensors in this
            architecture; nothing is written.
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
    from peft import PeftType

    adapter = adapter_of(policy) if form == "adapter" else lora_adapter(policy)
    folder.mkdir(parents=True, exist_ok=True)
    adapter.write(folder)
    is_lora = adapter.config.peft_type == PeftType.LORA  # the only kind that peft renames
    if is_lora and (lost := _lost_by_peft(folder, policy.under)):
        shutil.rmtree(folder)
        raise InputError(
            f"peft renames tensors of an adapter of {policy.under.model.config.model_type} and "
            f"then misses {lost}; export it as merged"
        )
    write_base_of(folder, policy.under)


def _lost_by_peft(folder: Path, base: BaseModel) -> str:
    """Return what peft says of tensors that it does not find in an adapter, or "".

    It reads an adapter by the names that transformers gives to an architecture's old checkpoints,
    and warns only where a rule for these also fits a tensor of the adapter.
    """
    import torch
    from peft import PeftModel

    with torch.device("meta"):
        skeleton = type(base.model)(base.model.config)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        PeftModel.from_pretrained(skeleton, str(folder), low_cpu_mem_usage=True)
    said = next((str(w.message) for w in caught if "missing adapter keys" in str(w.message)), "")
    return " ".join(said.partition(":")[2].split())[:200]
