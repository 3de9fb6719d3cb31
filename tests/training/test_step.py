"""One training step: exact accumulation, no work without signal, an untouched base."""

from __future__ import annotations

import pytest
import torch

from verirank.algorithms import Group
from verirank.config import TrialConfig, override, resolve
from verirank.kernels import Packing, _attention
from verirank.models import BaseModel, load_base
from verirank.sampling import Completion, TransformersSampler
from verirank.tasks import Problem
from verirank.training import Clock, CompletionLogprobs, SamplerDriftError, Trainer, prepare
from verirank.verifier import Reward, Verifier

SMALL = ["sampling.problems_per_step=4", "sampling.group_size=4", "training.steps=4"]


def trial(*assignments: str) -> TrialConfig:
    return resolve(override({}, [*SMALL, *assignments]))


def trainer(base: BaseModel, verifier: Verifier, *assignments: str) -> Trainer:
    return Trainer(trial(*assignments), base, TransformersSampler(base), verifier)


def gradients(one: Trainer, groups: list[Group], most_tokens: int) -> torch.Tensor:
    batch = prepare(groups, one.algorithm, max_new_tokens=64, most_tokens=most_tokens)
    one._accumulate_gradients(batch)
    return torch.cat([p.grad.flatten() for p in one.policy.trainable().values()])


@pytest.mark.parametrize("algorithm", ["grpo", "dapo", "dr-grpo"])
def test_micro_batches_add_up_to_the_whole_batch(
    base: BaseModel, verifier: Verifier, algorithm: str
) -> None:
    one = trainer(base, verifier, f"algorithm.name={algorithm}")
    _, groups = one._sample_groups(Clock())
    whole, parts = gradients(one, groups, 10**6), gradients(one, groups, 100)
    assert whole.norm() > 0
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-7)


def test_completions_of_unlike_length_are_not_padded_together_where_padding_costs(
    base: BaseModel, verifier: Verifier
) -> None:
    one, prompt = trainer(base, verifier), (3, 4, 5)
    rewards = tuple(Reward(float(n % 2), bool(n % 2), "", 0.0) for n in range(4))
    lengths = (2, 3, 4, 60)
    made = tuple(Completion(prompt, (7,) * n, (-1.0,) * n, "", False, 0) for n in lengths)
    groups = [Group(Problem("a", "", ""), made, rewards)]
    sizes = {"max_new_tokens": 64, "most_tokens": 128}
    together = prepare(groups, one.algorithm, **sizes).parts
    apart = prepare(groups, one.algorithm, **sizes, most_padded=200).parts
    assert [len(part.sequences.lengths_N) for part in together] == [4]
    assert [len(part.sequences.lengths_N) for part in apart] == [3, 1]


@pytest.mark.parametrize("form", ["one block", "blocks", "fused"])
def test_logprobs_equal_plain_forward_passes_with_shared_prompts(
    base: BaseModel, verifier: Verifier, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "blocks":
        monkeypatch.setattr(_attention, "_PAIRS", 100)
    if form == "fused":  # what a GPU computes by
        of = Packing.of
        monkeypatch.setattr(
            Packing, "of", lambda packed, by_products: of(packed, by_products=False)
        )
    random = torch.Generator().manual_seed(0)
    groups = []
    right, wrong = (Reward(float(c), c, "exact", 0.0) for c in (True, False))
    for prompt, lengths in ((30, (5, 9, 4, 8)), (4, (6, 2, 3, 7))):
        tokens = lambda n: tuple(torch.randint(2, 20, (n,), generator=random).tolist())  # noqa: E731
        asked = tokens(prompt)
        answers = tuple(Completion(asked, tokens(n), (0.0,) * n, "", False, 0) for n in lengths)
        problem = Problem(id="a", prompt="", answer="")
        groups.append(Group(problem, answers, (right, wrong, right, wrong)))
    one = trainer(base, verifier, "sampling.temperature=0.7")
    batch = prepare(groups, one.algorithm, max_new_tokens=64, most_tokens=10**6)
    (part,) = batch.parts
    packed = part.sequences
    assert len(packed.tokens_M) == 30 + 4 + (5 + 9 + 4 + 8) + (6 + 2 + 3 + 7), "no token twice"
    logprobs_NT = CompletionLogprobs(base.sharing_copy(), 0.7)(packed)
    # The group whose longest completion is shorter comes first; each begins with its shortest.
    ordered = [sorted(g.completions, key=lambda c: len(c.tokens)) for g in reversed(groups)]
    for n, completion in enumerate(ordered[0] + ordered[1]):
        sequence = torch.tensor([[*completion.prompt_tokens, *completion.tokens]])
        plain = (base.model(sequence).logits[0] / 0.7).log_softmax(-1)[:-1]
        expected = plain.gather(1, sequence[0, 1:, None])[len(completion.prompt_tokens) - 1 :, 0]
        length = len(completion.tokens)
        torch.testing.assert_close(logprobs_NT[n, :length], expected, atol=1e-5, rtol=1e-5)
        assert (logprobs_NT[n, length:] == 0).all()


def test_groups_without_signal_cost_no_forward_pass(base: BaseModel, verifier: Verifier) -> None:
    one = trainer(base, verifier)
    _, groups = one._sample_groups(Clock())
    right = Reward(value=1.0, correct=True, reason="exact", seconds=0.0)
    silent = [Group(g.problem, g.completions, (right,) * len(g.rewards)) for g in groups]
    batch = prepare(silent, one.algorithm, max_new_tokens=64, most_tokens=4096)
    assert batch.parts == []
    assert batch.groups_used == 0


def test_dropping_silent_groups_leaves_the_gradient_as_it_was(
    base: BaseModel, verifier: Verifier
) -> None:
    one = trainer(base, verifier, "algorithm.kl_coefficient=0")
    _, groups = one._sample_groups(Clock())
    dropped = gradients(one, groups, 4096)
    one.algorithm.trains = torch.ones_like  # type: ignore[method-assign]
    kept = gradients(one, groups, 4096)
    torch.testing.assert_close(dropped, kept, rtol=1e-4, atol=1e-7)


def test_a_step_leaves_the_base_as_it_was(base: BaseModel, verifier: Verifier) -> None:
    before = base.fingerprint()
    for method in ("full", "pissa", "dora"):
        one = trainer(base, verifier, f"method.name={method}")
        one.train_step()
        one.train_step()
    assert base.fingerprint() == before


def test_the_sampler_serves_what_was_trained(base: BaseModel, verifier: Verifier) -> None:
    one = trainer(base, verifier, "method.name=dora", "method.learning_rate=1e-3")
    for _ in range(3):
        metrics = one.train_step().metrics
    assert metrics["delta_norm"] > 0
    assert metrics["kl_train_sampler"] < 1e-6


def test_inner_updates_keep_the_first_old_logprobs(base: BaseModel, verifier: Verifier) -> None:
    rates = ("training.warmup_steps=0", "method.learning_rate=3e-3")
    once = trainer(base, verifier, *rates).train_step().metrics
    thrice = trainer(base, verifier, *rates, "algorithm.inner_updates=3").train_step().metrics
    assert once["clip_fraction"] == 0
    assert thrice["clip_fraction"] > 0
    assert thrice["kl_train_sampler"] == pytest.approx(once["kl_train_sampler"], abs=1e-9)


def test_a_kl_penalty_pulls_towards_the_base(base: BaseModel, verifier: Verifier) -> None:
    settings = ("training.warmup_steps=0", "method.learning_rate=1e-3", "training.steps=6")
    free, tied = (
        trainer(base, verifier, *settings, f"algorithm.kl_coefficient={k}") for k in (0.0, 10.0)
    )
    for _ in range(5):
        far, near = (one.train_step().metrics["delta_norm"] for one in (free, tied))
    assert near < far


def test_dynamic_sampling_fills_the_batch_with_groups_that_have_signal(
    base: BaseModel, verifier: Verifier
) -> None:
    one = trainer(base, verifier, "algorithm.name=dapo", "sampling.problems_per_step=8")
    metrics = one.train_step().metrics
    assert metrics["groups_used"] == 8
    assert metrics["groups_sampled"] >= 8


def test_dynamic_sampling_stops_at_its_limit(base: BaseModel, verifier: Verifier) -> None:
    one = trainer(
        base,
        verifier,
        "algorithm.name=dapo",
        "algorithm.max_sampling_rounds=2",
        "sampling.max_new_tokens=1",
    )
    metrics = one.train_step().metrics
    assert (metrics["groups_sampled"], metrics["groups_used"]) == (8, 0)
    assert metrics["grad_norm"] == 0


def test_bf16_bases_train_fp32_parameters(verifier: Verifier) -> None:
    base = load_base(resolve({"model": {"dtype": "bfloat16"}}).model)
    for method in ("full", "lora", "ln-tuning", "ia3"):
        one = trainer(base, verifier, f"method.name={method}", "model.dtype=bfloat16")
        assert {p.dtype for p in one.policy.trainable().values()} == {torch.float32}
        assert one.train_step().metrics["grad_norm"] > 0


def test_a_sampler_that_serves_another_policy_stops_the_run_before_an_update(
    base: BaseModel, verifier: Verifier
) -> None:
    one = trainer(base, verifier, "sampling.kl_limit=0.01")
    before = {name: tensor.clone() for name, tensor in one.policy.state().items()}
    weight = dict(base.model.named_parameters())["model.norm.weight"].float()
    one.sampler.publish([("model.norm.weight", 0.6 * weight)])
    with pytest.raises(
        SamplerDriftError, match=r"at step 1 is .* above sampling\.kl_limit = 0\.01$"
    ):
        one.train_step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.policy.state().items())
