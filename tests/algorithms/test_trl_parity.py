"""TRL's own trainers score a batch and compute its loss; ours must give the same numbers."""

from __future__ import annotations

import warnings

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from verirank.algorithms import Algorithm, BatchTotals, TokenBatch
from verirank.config import load_plugin

GROUP_SIZE = 4
MAX_NEW_TOKENS = 9
VOCABULARY = 32
REWARDS = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
LENGTHS = [9, 1, 4, 7, 3, 9, 2, 5, 6, 8, 1, 9]
PROMPT_LENGTHS = [3] * 4 + [5] * 4 + [2] * 4

LOSS_TYPES = {
    "grpo": {"loss_type": "grpo", "scale_rewards": "group"},
    "dapo": {"loss_type": "dapo", "scale_rewards": "group", "epsilon_high": 0.28},
    "dr-grpo": {"loss_type": "dr_grpo", "scale_rewards": "none"},
    "bnpo": {"loss_type": "bnpo", "scale_rewards": "group"},
    "gspo": {"loss_type": "grpo", "importance_sampling_level": "sequence"},
    "luspo": {"loss_type": "luspo", "importance_sampling_level": "sequence"},
    "cispo": {"loss_type": "cispo"},
    "sapo": {"loss_type": "sapo"},
    "vespo": {"loss_type": "vespo"},
}
CLIPS_TOKENS = {"grpo", "dapo", "dr-grpo", "bnpo"}
SAME_CASES = {"all at once", "kl and all at once"}
"""Of the algorithms whose importance correction and penalty are the code that GRPO's cases test."""


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny-qwen2")
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        initializer_range=0.4,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    words = {"<s>": 0, "</s>": 1, "<pad>": 2} | {f"w{i}": i for i in range(3, VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(folder)
    return str(folder)


def completions(seed: int) -> dict[str, list]:
    """Fixed rollouts of different lengths, with a sampler whose numbers differ from the model's."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(length: int) -> list[int]:
        return torch.randint(3, VOCABULARY, (length,), generator=generator).tolist()

    prompts = [tokens(PROMPT_LENGTHS[i]) for i in range(0, len(LENGTHS), GROUP_SIZE)]
    return {
        "prompt_ids": [prompt for prompt in prompts for _ in range(GROUP_SIZE)],
        "completion_ids": [tokens(length) for length in LENGTHS],
        "logprobs": [
            (-3.5 + 2 * torch.randn(length, generator=generator)).tolist() for length in LENGTHS
        ],
    }


def trl_trainer(folder: str, output: str, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL's and its imports' own deprecations
        from trl import GRPOConfig, GRPOTrainer

        args = GRPOConfig(
            output_dir=output,
            per_device_train_batch_size=len(LENGTHS),
            num_generations=GROUP_SIZE,
            max_completion_length=MAX_NEW_TOKENS,
            gradient_checkpointing=False,
            use_bias_correction_kl=False,  # the plain k3 of the GRPO paper
            vllm_importance_sampling_mode="token_truncate",
            vllm_importance_sampling_clip_max=2.0,
            bf16=False,
            use_cpu=True,
            report_to=[],
            **settings,
        )
        return GRPOTrainer(
            model=folder,
            args=args,
            train_dataset=Dataset.from_dict({"prompt": ["w3"] * len(LENGTHS)}),
            reward_funcs=lambda completions, **_: REWARDS,
            rollout_func=lambda prompts, trainer: completions(seed=1),
        )


def trl_rloo_trainer(folder: str, output: str, **settings):
    """TRL's RLOOTrainer over the same rollouts, without the KL that it takes off the rewards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trl import RLOOConfig, RLOOTrainer

        args = RLOOConfig(
            output_dir=output,
            per_device_train_batch_size=len(LENGTHS),
            num_generations=GROUP_SIZE,
            max_completion_length=MAX_NEW_TOKENS,
            gradient_checkpointing=False,
            beta=0.0,
            bf16=False,
            use_cpu=True,
            report_to=[],
            **settings,
        )
        trainer = RLOOTrainer(
            model=folder,
            args=args,
            train_dataset=Dataset.from_dict({"prompt": ["w3"] * len(LENGTHS)}),
            reward_funcs=lambda completions, **_: REWARDS,
        )
    drawn = completions(seed=1)
    texts = [""] * len(LENGTHS)
    trainer._generate = lambda prompts: (drawn["prompt_ids"], drawn["completion_ids"], texts)
    return trainer


def scored_by_trl(trainer, with_importance_correction: bool) -> dict[str, torch.Tensor]:
    if with_importance_correction:
        trainer.use_vllm = True  # only vLLM's log-probabilities are corrected for
        trainer._last_loaded_step = trainer.state.global_step  # nothing to publish to
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer._generate_and_score_completions([{"prompt": "w3"}] * len(LENGTHS))


def logprobs(model, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    start = inputs["prompt_ids"].shape[1]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, start - 1 : -1]
    chosen = inputs["completion_ids"].unsqueeze(-1)
    return logits.log_softmax(-1).gather(-1, chosen).squeeze(-1)


def our_loss(algorithm: Algorithm, model, inputs: dict[str, torch.Tensor], old, reference):
    rewards_PG = torch.tensor(REWARDS).view(-1, GROUP_SIZE)
    lengths_N = torch.tensor(LENGTHS)
    totals = BatchTotals(len(LENGTHS), sum(LENGTHS), MAX_NEW_TOKENS)
    batch = TokenBatch(
        mask_NT=inputs["completion_mask"].bool(),
        advantages_N=algorithm.advantages(rewards_PG).flatten(),
        weights_N=algorithm.token_weights(lengths_N, totals),
        sampler_NT=inputs["sampling_per_token_logps"],
        old_NT=old,
        reference_NT=reference,
    )
    return algorithm.loss(logprobs(model, inputs), batch)


def gradients(model, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def step_away(model) -> None:
    """Move the weights as an optimiser step would, far enough for the clip to bite."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)


CASES = {
    "first update": {},
    "several inner updates": {"inner_updates": 2},
    "importance correction": {"importance_cap": 2.0},
    "all at once": {"inner_updates": 2, "importance_cap": 2.0},
    "clip-higher": {"inner_updates": 2, "clip_high": 0.28},
    "kl": {"kl_coefficient": 0.04},
    "kl and all at once": {"inner_updates": 2, "importance_cap": 2.0, "kl_coefficient": 0.04},
}


@pytest.mark.parametrize(
    ("name", "case"),
    [
        (name, case)
        for name in LOSS_TYPES
        for case in CASES
        if name != "dapo" or "kl" not in case  # DAPO has no KL penalty
        if name in {"grpo", "dapo", "dr-grpo"} or case in SAME_CASES
    ],
)
def test_loss_and_every_gradient_agree_with_trl(
    name: str, case: str, model_folder: str, tmp_path
) -> None:
    settings = {"importance_cap": 0} | CASES[case]
    plugin = load_plugin("algorithm", name)
    algorithm = plugin(plugin.Config(**settings))
    config = algorithm.config
    trainer = trl_trainer(
        model_folder,
        str(tmp_path),
        **LOSS_TYPES[name]
        | {
            "epsilon": config.clip_low,
            # TRL states the cap of CISPO itself, not what it exceeds 1 by.
            "epsilon_high": config.clip_high + (name == "cispo"),
            "beta": config.kl_coefficient,
            "num_iterations": config.inner_updates,
        },
    )
    # The model computes in fp64. Both losses then add terms of up to 1 in fp32, and these cancel:
    # where little is left of them, their rounding is the error.
    model = trainer.model.double()
    inputs = scored_by_trl(trainer, config.importance_cap > 0)
    at_sampling = logprobs(model, inputs).detach()
    reference = at_sampling if config.kl_coefficient else None
    if config.inner_updates > 1 or config.kl_coefficient:
        step_away(model)
    old = at_sampling if "old_per_token_logps" in inputs else None

    theirs = trainer.compute_loss(model, inputs)
    ours, sums = our_loss(algorithm, model, inputs, old, reference)

    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5, abs=2e-7)
    expected = gradients(model, theirs)
    for parameter, gradient in gradients(model, ours).items():
        error = (gradient - expected[parameter]).norm() / expected[parameter].norm()
        assert error < 1e-5, parameter
    if name not in CLIPS_TOKENS:
        return
    their_clip_fraction = trainer._metrics["train"]["clip_ratio/region_mean"][-1]
    assert sums.means()["clip_fraction"] == pytest.approx(their_clip_fraction, abs=1e-6)
    assert (their_clip_fraction > 0) == (config.inner_updates > 1)


@pytest.mark.parametrize("name", LOSS_TYPES)
def test_advantages_agree_with_trl(name: str, model_folder: str, tmp_path) -> None:
    trainer = trl_trainer(model_folder, str(tmp_path), **LOSS_TYPES[name])
    theirs_N = scored_by_trl(trainer, False)["advantages"]
    plugin = load_plugin("algorithm", name)
    ours_PG = plugin(plugin.Config()).advantages(torch.tensor(REWARDS).view(-1, GROUP_SIZE))
    torch.testing.assert_close(ours_PG.flatten(), theirs_N, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("case", ["first update", "several inner updates", "clip-higher"])
def test_rloos_loss_and_every_gradient_agree_with_trls_trainer(
    case: str, model_folder: str, tmp_path
) -> None:
    plugin = load_plugin("algorithm", "rloo")
    algorithm = plugin(plugin.Config(importance_cap=0, **CASES[case]))
    trainer = trl_rloo_trainer(
        model_folder,
        str(tmp_path),
        epsilon=algorithm.config.clip_low,
        epsilon_high=algorithm.config.clip_high,
        num_iterations=algorithm.config.inner_updates,
    )
    model = trainer.model.double()
    inputs = scored_by_trl(trainer, with_importance_correction=False)
    at_sampling = logprobs(model, inputs).detach()
    if algorithm.config.inner_updates > 1:
        step_away(model)

    theirs = trainer.compute_loss(model, inputs)
    inputs["sampling_per_token_logps"] = at_sampling
    ours, _ = our_loss(algorithm, model, inputs, at_sampling, None)

    ours_PG = algorithm.advantages(torch.tensor(REWARDS).view(-1, GROUP_SIZE))
    torch.testing.assert_close(ours_PG.flatten(), inputs["advantages"], rtol=1e-6, atol=1e-7)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5, abs=2e-7)
    expected = gradients(model, theirs)
    for parameter, gradient in gradients(model, ours).items():
        assert expected[parameter].norm() > 0
        error = (gradient - expected[parameter]).norm() / expected[parameter].norm()
        assert error < 1e-5, parameter
    # A whole completion is clipped or not, so that the fractions are over completions here.
    clipped = trainer._metrics["train"]["clip_ratio/region_mean"][-1]
    assert (clipped > 0) == (algorithm.config.inner_updates > 1)
