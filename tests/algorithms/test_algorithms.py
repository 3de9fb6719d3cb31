"""What the algorithms say beyond the loss that TRL shares with them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import beta

from verirank.algorithms import Algorithm, BatchTotals, Group, TokenBatch
from verirank.cli.algorithms_command import command
from verirank.config import InputError, load_plugin
from verirank.sampling import Completion
from verirank.tasks import Problem
from verirank.verifier import Reward

NAMES = (
    "bnpo",
    "cispo",
    "dapo",
    "dr-grpo",
    "gspo",
    "grpo",
    "luspo",
    "reinforce-pp",
    "rloo",
    "sapo",
    "vespo",
)
OTHERS = tuple(name for name in NAMES if name != "dapo")
SEQUENCE_RATIOS = {"gspo", "luspo", "rloo", "vespo"}
LIMIT = 20


def algorithm(name: str, **settings) -> Algorithm:
    plugin = load_plugin("algorithm", name)
    return plugin(plugin.Config(**settings))


def group(*correct: bool, values: tuple[float, ...] | None = None) -> Group:
    completion = Completion((1,), (2, 3), (-0.5, -0.5), "1", False, 0)
    values = values or tuple(map(float, correct))
    rewards = [Reward(v, c, "exact", 0.0) for v, c in zip(values, correct, strict=True)]
    return Group(Problem("p", "1+0=", "1"), (completion,) * len(correct), tuple(rewards))


def batch(name: str, lengths: list[int], seed: int, **settings):
    """An algorithm, log-probabilities with gradient, and one batch of random sequences."""
    chosen = algorithm(name, **settings)
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), LIMIT)
    lengths_N = torch.tensor(lengths)
    totals = BatchTotals(len(lengths), sum(lengths), LIMIT)
    logprobs_NT = -3 * torch.rand(shape, generator=generator, dtype=torch.float64)
    noise_NT = 0.4 * torch.randn(shape, generator=generator, dtype=torch.float64)
    tokens = TokenBatch(
        mask_NT=torch.arange(LIMIT) < lengths_N[:, None],
        advantages_N=torch.randn(len(lengths), generator=generator),
        weights_N=chosen.token_weights(lengths_N, totals),
        sampler_NT=logprobs_NT + noise_NT,
        old_NT=logprobs_NT + noise_NT.flip(0),
        reference_NT=logprobs_NT + noise_NT.flip(1) if settings.get("kl_coefficient") else None,
    )
    return chosen, logprobs_NT.requires_grad_(), tokens


def rows(tokens: TokenBatch, chosen) -> TokenBatch:
    fields = {name: getattr(tokens, name) for name in TokenBatch.__slots__}
    return TokenBatch(**{k: v if v is None else v[chosen] for k, v in fields.items()})


lengths_of_sequences = st.lists(st.integers(1, LIMIT), min_size=2, max_size=8)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)  # the first call of torch in a process can take seconds
@given(lengths=lengths_of_sequences, cut=st.integers(1, 7), seed=st.integers(0, 99))
def test_micro_batches_add_up_to_the_whole_batch(name, lengths, cut, seed) -> None:
    chosen, logprobs_NT, tokens = batch(name, lengths, seed)
    whole, sums = chosen.loss(logprobs_NT, tokens)
    (whole_gradient,) = torch.autograd.grad(whole, logprobs_NT)
    parts = [slice(0, cut), slice(cut, None)] if cut < len(lengths) else [slice(None)]
    losses = [chosen.loss(logprobs_NT[part], rows(tokens, part)) for part in parts]
    total = sum(loss for loss, _ in losses)
    (gradient,) = torch.autograd.grad(total, logprobs_NT)
    torch.testing.assert_close(total, whole)
    torch.testing.assert_close(gradient, whole_gradient)
    if len(losses) == 2:
        added = (losses[0][1] + losses[1][1]).means()
        assert added == pytest.approx(sums.means(), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_leaving_out_sequences_that_train_nothing_changes_no_gradient(name: str) -> None:
    chosen, logprobs_NT, tokens = batch(name, [3, 20, 7, 1, 12], seed=0)
    tokens.advantages_N[torch.tensor([1, 3])] = 0
    trains_N = chosen.trains(tokens.advantages_N)
    assert trains_N.tolist() == [True, False, True, False, True]
    whole, _ = chosen.loss(logprobs_NT, tokens)
    part, _ = chosen.loss(logprobs_NT[trains_N], rows(tokens, trains_N))
    torch.testing.assert_close(part, whole)
    torch.testing.assert_close(
        torch.autograd.grad(part, logprobs_NT), torch.autograd.grad(whole, logprobs_NT)
    )


@pytest.mark.parametrize("name", ["grpo", "dr-grpo"])
def test_a_kl_penalty_trains_on_groups_without_signal_too(name: str) -> None:
    assert algorithm(name, kl_coefficient=0.04).trains(torch.zeros(2, 3)).all()
    assert not algorithm(name).trains(torch.zeros(2, 3)).any()


@given(lengths=lengths_of_sequences)
def test_token_weights_are_those_of_the_papers(lengths: list[int]) -> None:
    lengths_N, totals = torch.tensor(lengths), BatchTotals(len(lengths), sum(lengths), LIMIT)
    mass = {n: (algorithm(n).token_weights(lengths_N, totals) * lengths_N).tolist() for n in NAMES}
    assert mass["grpo"] == pytest.approx([1 / len(lengths)] * len(lengths))
    assert mass["dapo"] == pytest.approx([length / sum(lengths) for length in lengths])
    assert mass["dr-grpo"] == pytest.approx([n / (LIMIT * len(lengths)) for n in lengths])


@pytest.mark.parametrize("name", NAMES)
def test_a_sequence_weighs_the_same_in_any_micro_batch(name: str) -> None:
    lengths_N, totals = torch.tensor([3, 20, 7, 1]), BatchTotals(6, 70, LIMIT)
    whole_N = algorithm(name).token_weights(lengths_N, totals)
    parts_N = [algorithm(name).token_weights(part, totals) for part in lengths_N.split([1, 3])]
    assert torch.equal(torch.cat(parts_N), whole_N)


@pytest.mark.parametrize("name", sorted(set(NAMES) - SEQUENCE_RATIOS))
def test_the_first_update_is_plain_policy_gradient(name: str) -> None:
    chosen, logprobs_NT, tokens = batch(name, [3, 20, 7], seed=1, importance_cap=0)
    tokens = TokenBatch(tokens.mask_NT, tokens.advantages_N, tokens.weights_N, tokens.sampler_NT)
    loss, sums = chosen.loss(logprobs_NT, tokens)
    (gradient,) = torch.autograd.grad(loss, logprobs_NT)
    weighted_N1 = (tokens.weights_N * tokens.advantages_N)[:, None]
    torch.testing.assert_close(gradient.float(), -weighted_N1 * tokens.mask_NT)
    assert sums.means()["clip_fraction"] == 0


def test_the_importance_correction_is_capped_and_carries_no_gradient() -> None:
    chosen = algorithm("grpo", importance_cap=2.0)
    logprobs_NT = torch.tensor([[-1.0, -1.0, -1.0]], requires_grad=True)
    sampler_NT = torch.tensor([[-1.0 - math.log(1.5), -9.0, -1.0 + math.log(4)]])
    tokens = TokenBatch(torch.ones(1, 3), torch.ones(1), torch.ones(1), sampler_NT)
    loss, sums = chosen.loss(logprobs_NT, tokens)
    (gradient,) = torch.autograd.grad(loss, logprobs_NT)
    assert gradient[0].tolist() == pytest.approx([-1.5, -2.0, -0.25])
    log_ratios = [math.log(1.5), 8.0, -math.log(4)]
    k3 = sum(math.exp(x) - x - 1 for x in log_ratios) / 3
    assert sums.means()["kl_train_sampler"] == pytest.approx(k3, rel=1e-6)


def test_rubbish_in_the_padding_reaches_neither_loss_nor_gradient() -> None:
    chosen, logprobs_NT, tokens = batch("grpo", [3, 20, 7], seed=2, kl_coefficient=0.1)
    clean, _ = chosen.loss(logprobs_NT, tokens)
    spoilt_NT = logprobs_NT.masked_fill(~tokens.mask_NT, -math.inf).detach().requires_grad_()
    tokens.sampler_NT[~tokens.mask_NT] = math.nan
    spoilt, sums = chosen.loss(spoilt_NT, tokens)
    (gradient,) = torch.autograd.grad(spoilt, spoilt_NT)
    torch.testing.assert_close(spoilt, clean)
    assert gradient.isfinite().all()
    assert math.isfinite(sums.means()["kl_train_sampler"])


def test_a_kl_penalty_without_the_bases_log_probabilities_is_refused() -> None:
    _, logprobs_NT, tokens = batch("grpo", [3, 20], seed=3)
    with pytest.raises(ValueError, match="reference_NT"):
        algorithm("grpo", kl_coefficient=0.04).loss(logprobs_NT, tokens)


def test_a_bf16_policy_gets_its_loss_in_fp32() -> None:
    chosen, logprobs_NT, tokens = batch("dapo", [3, 20], seed=3)
    loss, _ = chosen.loss(logprobs_NT.bfloat16(), tokens)
    assert loss.dtype == torch.float32


def test_dr_grpo_does_not_divide_by_the_standard_deviation() -> None:
    rewards_PG = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert algorithm("dr-grpo").advantages(rewards_PG).tolist() == [[0.75, -0.25, -0.25, -0.25]]


@pytest.mark.parametrize("name", NAMES)
def test_groups_of_equal_rewards_have_zero_advantage(name: str) -> None:
    rewards_PG = torch.stack([torch.ones(7), torch.zeros(7)])
    assert not algorithm(name).advantages(rewards_PG).any()


def test_dapo_selects_only_groups_that_are_neither_all_right_nor_all_wrong() -> None:
    dapo = algorithm("dapo")
    assert dapo.selects(group(True, False, False))
    assert not dapo.selects(group(True, True, True))
    assert not dapo.selects(group(False, False, False))


def test_dapo_selects_by_correctness_not_by_the_reward_value() -> None:
    assert not algorithm("dapo").selects(group(True, True, values=(1.0, 0.4)))


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_take_every_group_in_one_round(name: str) -> None:
    assert algorithm(name).sampling_rounds == 1
    assert algorithm(name).selects(group(False, False))


def test_dapo_draws_problems_up_to_its_stated_limit() -> None:
    assert algorithm("dapo").sampling_rounds == 10
    assert algorithm("dapo", max_sampling_rounds=3).sampling_rounds == 3


def test_overlong_punishment_is_linear_within_the_buffer() -> None:
    lengths_PG = torch.tensor([[1, 16_384, 18_432, 20_480]])
    shaped_PG = algorithm("dapo", overlong_penalty=1.0).shape_rewards(
        torch.ones(1, 4), lengths_PG, 20_480
    )
    assert shaped_PG.tolist() == [pytest.approx([1.0, 1.0, 0.5, 0.0])]


def test_the_default_overlong_penalty_weighs_on_0_and_1_what_the_papers_does_on_its_rewards() -> (
    None
):
    lengths_PG = torch.tensor([[1, 20_480]])
    ours = algorithm("dapo").shape_rewards(torch.tensor([[0.0, 1.0]]), lengths_PG, 20_480)
    papers = algorithm("dapo", overlong_penalty=1.0).shape_rewards(
        torch.tensor([[-1.0, 1.0]]), lengths_PG, 20_480
    )
    torch.testing.assert_close(2 * ours - 1, papers)


def test_overlong_punishment_can_be_turned_off() -> None:
    dapo = algorithm("dapo", overlong_penalty=0.0)
    rewards_PG, lengths_PG = torch.tensor([[1.0, 0.0]]), torch.tensor([[6, 6]])
    assert torch.equal(dapo.shape_rewards(rewards_PG, lengths_PG, 6), rewards_PG)


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_leave_long_answers_unpunished(name: str) -> None:
    rewards_PG, lengths_PG = torch.tensor([[1.0, 0.0]]), torch.tensor([[6, 6]])
    assert torch.equal(algorithm(name).shape_rewards(rewards_PG, lengths_PG, 6), rewards_PG)


def test_dapo_clips_higher_and_the_others_symmetrically() -> None:
    clips = {name: algorithm(name).config for name in ("grpo", "dapo", "dr-grpo")}
    assert {n: (c.clip_low, c.clip_high) for n, c in clips.items()} == {
        "grpo": (0.2, 0.2),
        "dapo": (0.2, 0.28),
        "dr-grpo": (0.2, 0.2),
    }


def test_rloo_compares_each_reward_with_the_mean_of_the_others() -> None:
    rewards_PG = torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, 0.0]])
    expected_PG = [[2 / 3, -2 / 3, -2 / 3, 2 / 3], [0.5, -1 / 6, -1 / 6, -1 / 6]]
    torch.testing.assert_close(algorithm("rloo").advantages(rewards_PG), torch.tensor(expected_PG))


def test_rloo_clips_the_ratio_of_the_whole_completion() -> None:
    old_NT = torch.tensor([[-1.0, -2.0], [-1.0, -2.0]])
    logprobs_NT = (old_NT + torch.tensor([[0.05, 0.05], [0.1, 0.2]])).requires_grad_()
    advantages_N, weights_N = torch.tensor([2.0, 1.0]), torch.full((2,), 1 / 4)
    tokens = TokenBatch(torch.ones(2, 2), advantages_N, weights_N, old_NT, old_NT)
    loss, _ = algorithm("rloo").loss(logprobs_NT, tokens)
    (gradient,) = torch.autograd.grad(loss, logprobs_NT)
    assert loss.item() == pytest.approx(-(2 * math.exp(0.1) + 1.2) / 2, rel=1e-6)
    assert gradient[0].tolist() == pytest.approx([-math.exp(0.1)] * 2, rel=1e-6)
    assert gradient[1].tolist() == [0, 0]


def test_reinforce_pp_divides_by_the_standard_deviation_of_the_batch() -> None:
    rewards_PG = torch.tensor([[1.0, 0.0], [4.0, 0.0]])
    std = math.sqrt((2 * 0.25 + 2 * 4) / 3)
    expected_PG = torch.tensor([[0.5, -0.5], [2.0, -2.0]]) / (std + 1e-4)
    torch.testing.assert_close(algorithm("reinforce-pp").advantages(rewards_PG), expected_PG)


@given(counts=st.lists(st.integers(0, 8), min_size=2, max_size=12).filter(lambda c: len({*c}) > 1))
def test_bnpos_beta_normalisation_divides_by_the_density_of_its_paper(counts: list[int]) -> None:
    rewards_PG = torch.tensor([[1.0] * count + [0.0] * (8 - count) for count in counts])
    p_P = rewards_PG.double().mean(1).numpy()
    mean, variance = p_P.mean(), p_P.var(ddof=1)
    a, b = (max((mean * (1 - mean) / variance - 1) * part, 0) for part in (mean, 1 - mean))
    if a > 0:
        assert beta(a, b).stats() == pytest.approx((mean, variance))
    density_P = beta(1 + a / 3, 1 + b / 3).pdf(p_P)
    expected_PG = (rewards_PG.numpy() - p_P[:, None]) / np.maximum(density_P, 1e-6)[:, None]
    ours_PG = algorithm("bnpo", normalisation="beta").advantages(rewards_PG)
    torch.testing.assert_close(ours_PG, torch.tensor(expected_PG).float())


def test_bnpos_beta_normalisation_has_reinforce_and_grpo_as_special_cases() -> None:
    bnpo = algorithm("bnpo", normalisation="beta")
    one = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(bnpo.advantages(one), one - 0.25)
    # Means whose variance is 1/16 around 1/2 are those of Beta(3/2, 3/2), and so is the density.
    p_P1 = 0.5 + torch.tensor([[1.0], [-1.0]]) / math.sqrt(32)
    deviations_PG = torch.tensor([[0.1, -0.1], [0.2, -0.2]])
    expected_PG = deviations_PG * math.pi / 8 / (p_P1 * (1 - p_P1)).sqrt()
    torch.testing.assert_close(bnpo.advantages(p_P1 + deviations_PG), expected_PG)


def test_bnpos_beta_normalisation_refuses_rewards_that_are_no_chances() -> None:
    with pytest.raises(InputError, match="rewards between 0 and 1"):
        algorithm("bnpo", normalisation="beta").advantages(torch.tensor([[3.0, 1.0], [0.0, 1.0]]))


@pytest.mark.parametrize("name", sorted(SEQUENCE_RATIOS - {"rloo"}))
def test_the_first_gradient_of_a_sequence_is_its_policy_gradient(name: str) -> None:
    chosen, logprobs_NT, tokens = batch(name, [3, 20, 7], seed=1, importance_cap=0)
    tokens = TokenBatch(tokens.mask_NT, tokens.advantages_N, tokens.weights_N, tokens.sampler_NT)
    loss, _ = chosen.loss(logprobs_NT, tokens)
    (gradient,) = torch.autograd.grad(loss, logprobs_NT)
    weighted_N1 = (tokens.weights_N * tokens.advantages_N)[:, None]
    torch.testing.assert_close(gradient.float(), -weighted_N1 * tokens.mask_NT)


def test_dapo_refuses_a_kl_penalty() -> None:
    with pytest.raises(ValidationError, match="dapo has no KL penalty"):
        algorithm("dapo", kl_coefficient=0.04)


def test_the_command_lists_every_algorithm_with_its_defaults() -> None:
    rows = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert {row["name"] for row in rows} == set(NAMES)
    assert all(row["reference"].startswith("arXiv:") and row["summary"] for row in rows)
    (dapo,) = [row for row in rows if row["name"] == "dapo"]
    assert dapo["defaults"]["clip_high"] == 0.28
    assert "name" not in dapo["defaults"]
    text = CliRunner().invoke(command, []).stdout
    assert all(name in text for name in NAMES)
