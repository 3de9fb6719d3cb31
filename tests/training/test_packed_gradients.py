"""What packing sends back equals autograd through plain forward passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from verirank.config import ModelConfig, override, resolve
from verirank.kernels import Packing
from verirank.methods import Policy
from verirank.models import BaseModel, load_base
from verirank.sampling import Completion
from verirank.training import CompletionLogprobs, PackingIgnoredError, Siblings, pack

TEMPERATURE = 0.7


def families(seed: int = 0) -> list[Siblings]:
    random = torch.Generator().manual_seed(seed)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(2, 20, (n,), generator=random).tolist())

    made = []
    for prompt, lengths in ((9, (1, 4, 7)), (3, (6,)), (14, (2, 11))):
        asked = tokens(prompt)
        made.append(
            [(Completion(asked, tokens(n), (0.0,) * n, "", False, 0), 1.0) for n in lengths]
        )
    return made


def gradients(policy: Policy, loss: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, list(policy.trainable().values())))


@pytest.mark.parametrize("by_products", [True, False], ids=["products", "fused"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_gradients_are_those_of_plain_forward_passes(
    base: BaseModel, method: str, by_products: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = Packing.of
    monkeypatch.setattr(Packing, "of", lambda one, **_: of(one, by_products=by_products))
    config = resolve(override({}, [f"method.name={method}"]))
    policy = Policy.create(base, config.method, seed=0, total_steps=1)
    completions = [completion for siblings in families() for completion, _ in siblings]
    plain = torch.zeros(())
    for n, completion in enumerate(completions, start=1):
        tokens = torch.tensor([[*completion.prompt_tokens, *completion.tokens]])
        logprobs = (policy.model(tokens).logits[0] / TEMPERATURE).log_softmax(-1)[:-1]
        chosen = logprobs.gather(1, tokens[0, 1:, None])[len(completion.prompt_tokens) - 1 :]
        plain = plain + n * chosen.sum()
    expected = gradients(policy, plain)
    packed_NT = CompletionLogprobs(policy.model, TEMPERATURE)(pack(families()))
    weights_N = torch.arange(1.0, len(completions) + 1)
    found = gradients(policy, (packed_NT.sum(1) * weights_N).sum())
    scale = max(float(gradient.abs().max()) for gradient in expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize(
    "by_products",
    [True, pytest.param(False, marks=pytest.mark.thorough)],
    ids=["products", "fused"],
)
@pytest.mark.parametrize(
    "method",
    ["lora", "full", *(pytest.param(m, marks=pytest.mark.thorough) for m in ("ln-tuning", "ia3"))],
)
def test_in_bf16_packing_adds_no_error_to_that_of_plain_forward_passes(
    base: BaseModel, method: str, by_products: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = Packing.of
    monkeypatch.setattr(Packing, "of", lambda one, **_: of(one, by_products=by_products))
    exact, narrow, fused = (
        Policy.create(
            load_base(ModelConfig(name="micro", dtype=dtype)),
            resolve({"method": {"name": method}}).method,
            seed=0,
            total_steps=1,
        )
        for dtype in ("float32", "bfloat16", "bfloat16")
    )
    logprobs = CompletionLogprobs(fused.model, TEMPERATURE)
    usually, packed = [], []
    for seed in range(16):  # of 8, a few improbable tokens decide
        sequences, weights = pack(families(seed)), torch.linspace(-1, 1, 6)[:, None]
        expected = plainly(exact, seed)
        with narrow.autocast():
            usual = plainly(narrow, seed)
            found = logprobs(sequences)
        right = gradients(exact, (expected * weights).sum())
        for policy, made, wrong in ((narrow, usual, usually), (fused, found, packed)):
            off = gradients(policy, (made * weights).sum())
            wrong.append((_off([made.detach()], [expected.detach()]), _off(off, right)))
    usual_error, packed_error = (torch.tensor(wrong).mean(0) for wrong in (usually, packed))
    # The root of a mean square, of log-probabilities and of gradients.
    assert (packed_error.sqrt() < 1.2 * usual_error.sqrt()).all(), (usual_error, packed_error)


def _off(made: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    """Return the squared error of tensors, all of them together, relative to what is right."""
    pairs = list(zip(made, right, strict=True))
    wrong = sum(float((one - other).double().square().sum()) for one, other in pairs)
    return wrong / sum(float(other.double().square().sum()) for other in right)


def plainly(policy: Policy, seed: int) -> torch.Tensor:
    """Return every completion's log-probabilities from a forward pass of its own, N x T."""
    completions = [completion for siblings in families(seed) for completion, _ in siblings]
    longest, rows = max(len(c.tokens) for c in completions), []
    for completion in completions:
        tokens = torch.tensor([[*completion.prompt_tokens, *completion.tokens]])
        logprobs = (policy.model(tokens).logits[0].float() / TEMPERATURE).log_softmax(-1)[:-1]
        chosen = logprobs.gather(1, tokens[0, 1:, None])[len(completion.prompt_tokens) - 1 :, 0]
        rows.append(nn.functional.pad(chosen, (0, longest - len(chosen))))
    return torch.stack(rows)


def test_a_layer_that_attends_in_its_own_way_is_refused(base: BaseModel) -> None:
    policy = Policy.create(base, resolve({}).method, seed=0, total_steps=1)
    logprobs = CompletionLogprobs(policy.model, TEMPERATURE)
    attention = policy.model.get_decoder().layers[0].self_attn
    forward = attention.forward

    def in_its_own_way(*args: Any, packing: Packing, attention_mask: Any, **kwargs: Any) -> Any:
        return forward(*args, attention_mask=None, **kwargs)

    attention.forward = in_its_own_way
    with pytest.raises(PackingIgnoredError, match=r"of \d+ layers of \w+ attend"):
        logprobs(pack(families()))
