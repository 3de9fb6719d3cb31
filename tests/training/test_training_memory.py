"""What a training step keeps: no logits of a whole batch, and with checkpointing little else."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from keeping import kept_bytes
from verirank.config import override, resolve
from verirank.models import BaseModel
from verirank.sampling import Completion, TransformersSampler
from verirank.training import Clock, CompletionLogprobs, Trainer, pack, prepare
from verirank.verifier import Verifier


class LargestLogits(TorchDispatchMode):
    """Counts the rows of the largest tensor whose last dimension is the vocabulary's."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary, self.rows = vocabulary, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.shape[-1:] == (self.vocabulary,):
                self.rows = max(self.rows, tensor.numel() // self.vocabulary)
        return out


def test_logits_of_more_than_256_tokens_never_exist_together(
    base: BaseModel, verifier: Verifier
) -> None:
    rows, prompt, length = 20, 4, 150
    one = Trainer(resolve({}), base, TransformersSampler(base), verifier)
    made = Completion((2,) * prompt, (3,) * length, (0.0,) * length, "", False, 0)
    sequences = pack([[(made, 1.0)]] * rows)
    with LargestLogits(base.shape.vocabulary) as seen:
        one.logprobs(sequences).sum().backward()
    assert seen.rows == 256 < rows * length


@pytest.mark.parametrize("method", ["lora", "dora", "adalora", "full"])
def test_checkpointing_leaves_the_gradients_as_they_are(
    base: BaseModel, verifier: Verifier, method: str
) -> None:
    found = []
    for checkpointing in ("false", "true"):
        settings = [
            f"method.name={method}",
            f"machine.gradient_checkpointing={checkpointing}",
            "sampling.problems_per_step=4",
            "sampling.group_size=4",
        ]
        one = Trainer(resolve(override({}, settings)), base, TransformersSampler(base), verifier)
        _, groups = one._sample_groups(Clock())
        one._accumulate_gradients(
            prepare(groups, one.algorithm, max_new_tokens=64, most_tokens=512)
        )
        found.append(torch.cat([p.grad.flatten() for p in one.policy.trainable().values()]))
    assert found[0].norm() > 0
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-9)


def test_checkpointing_keeps_a_fraction_of_the_activations(
    base: BaseModel, verifier: Verifier
) -> None:
    def kept(checkpointing: bool) -> int:
        settings = {"machine": {"gradient_checkpointing": checkpointing}}
        one = Trainer(resolve(settings), base, TransformersSampler(base), verifier)
        model, tokens_NT = one.policy.model, torch.randint(2, 20, (4, 100))
        return kept_bytes(
            lambda: model.get_decoder()(input_ids=tokens_NT, use_cache=False)[0], model.parameters()
        )

    assert 0 < kept(True) < kept(False) / 10


def test_the_layers_inside_stay_in_evaluation_mode(base: BaseModel) -> None:
    model = CompletionLogprobs(base.sharing_copy(), 1.0)
    model.eval()
    model.checkpoint_layers()
    layers = set(model.model.get_decoder().layers)
    assert all(module.training == (module in layers) for module in model.modules())
