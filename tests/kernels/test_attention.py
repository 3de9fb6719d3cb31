"""Attention over packed sequences, and of decoding, equals the plain formula."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from verirank.kernels import Packing, Sequences, _attention, in_blocks, plain_decode_attention
from verirank.kernels._decode_cache import _decode_attention

SCALING = 0.3


def sees(sequences: Sequences) -> torch.Tensor:
    """Return which of the M tokens each sees: its prompt and its own completion, causally."""
    owner = torch.full(sequences.tokens_M.shape, -1)
    prompt = torch.empty_like(owner)
    for p, (start, length) in enumerate(
        zip(sequences.prompt_start_P, sequences.prompt_lengths_P, strict=True)
    ):
        prompt[start : start + length] = p
    for n, (start, length) in enumerate(zip(sequences.start_N, sequences.lengths_N, strict=True)):
        owner[start : start + length] = n
        prompt[start : start + length] = sequences.prompt_N[n]
    same_prompt = prompt[:, None] == prompt
    same_row = (owner == -1) | (owner[:, None] == owner)
    return (same_prompt & same_row).tril()


@pytest.mark.parametrize("form", ["one block", "blocks", "fused"])
def test_packed_attention_and_its_gradients_are_those_of_the_plain_formula(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "blocks":
        monkeypatch.setattr(_attention, "_PAIRS", 100)
    sequences = Sequences.pack([([1] * 9, [[2] * 5, [3] * 2]), ([4] * 3, [[5] * 7])])
    packing = Packing.of(sequences, by_products=form != "fused")
    draws = torch.Generator().manual_seed(0)
    tokens = len(sequences.tokens_M)
    q, k, v = (
        torch.randn((heads, tokens, 8), generator=draws, requires_grad=True) for heads in (4, 2, 2)
    )
    weights = torch.randn((tokens, 32), generator=draws)
    module: Any = None
    fast, _ = _attention._packed_attention(
        module, q[None], k[None], v[None], None, SCALING, packing
    )
    plain = _attention.plain_attention(q, k, v, sees(sequences), SCALING)
    results = [
        [output, *torch.autograd.grad((output * weights).sum(), [q, k, v])]
        for output in (fast[0], plain)
    ]
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert packing.calls == 1


def test_decode_attention_is_the_plain_formula() -> None:
    draws = torch.Generator().manual_seed(0)
    query = torch.randn((3, 4, 1, 8), generator=draws)
    key, value = (torch.randn((3, 2, 6, 8), generator=draws) for _ in range(2))
    bias = torch.zeros(3, 1, 1, 6)
    bias[1, ..., :2] = float("-inf")
    module: Any = SimpleNamespace()
    fast, _ = _decode_attention(module, query, key, value, bias, SCALING)
    torch.testing.assert_close(fast, plain_decode_attention(query, key, value, bias, SCALING))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("group", range(1, 9))
def test_what_a_sample_attends_to_is_summed_alike_however_long_the_others_are(
    group: int, dtype: torch.dtype
) -> None:
    random = torch.Generator().manual_seed(group)
    most = 704
    for heads, dim in ((1, 16), (2, 64), (2, 128)):
        draw = lambda *shape: torch.randn(shape, generator=random).to(dtype)  # noqa: E731
        query = draw(2, heads * group, 1, dim)
        key, value = draw(2, heads, most, dim), draw(2, heads, most, dim)
        for length in (20, 130, 224, 288, 500, 690):
            bias = torch.zeros((2, 1, 1, most), dtype=dtype)
            bias[..., length:] = float("-inf")

            def attended(seen: int, query=query, key=key, value=value, bias=bias):
                seen_of = (key[:, :, :seen], value[:, :, :seen], bias[..., :seen])
                return _decode_attention(torch.nn.Identity(), query, *seen_of)[0]

            least = in_blocks(length)
            alone = attended(least)
            assert all(attended(seen).equal(alone) for seen in range(least, most + 1, in_blocks(1)))
