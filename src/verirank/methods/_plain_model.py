"""The plain model that a policy amounts to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from verirank.methods._policy import Policy

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def plain_model(policy: Policy, dtype: torch.dtype) -> PreTrainedModel:
    """Return a model without any adapter whose weights are the policy's effective ones.

    Args:
        policy: what to publish.
        dtype: every weight is cast to it once; the base's own weights are not written to.
    """
    model = policy.base.share_plain()
    parameters = dict(model.named_parameters())
    # Not the buffers: the frequencies of rotary embeddings are fp32 whatever the weights are.
    for parameter in parameters.values():
        parameter.data = parameter.data.to(dtype)
    for name, weight in policy.effective_weights():
        parameters[name].data = weight.to(dtype)
    return model
