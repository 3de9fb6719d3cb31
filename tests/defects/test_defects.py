"""Each defect spoils what it says and nothing else, and a run that has one says so for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from verirank.config import InputError, TrialConfig
from verirank.defects import Defect, LiveBase, defect_named, defect_names, defect_of
from verirank.methods import Policy, RandomData
from verirank.models import BaseModel
from verirank.record import Run
from verirank.sampling import Sampler, TransformersSampler, sample_all
from verirank.trial import run_trial, start_trial, trial_id

Small = Callable[[str], TrialConfig]


def policy_of(base: BaseModel, config: TrialConfig) -> Policy:
    data = RandomData.of(base)
    return Policy.create(base, config.method, seed=config.seed, total_steps=4, data=data)


def moved(policy: Policy, rounds: int) -> Iterator[list[tuple[str, Tensor]]]:
    """Yield the weights of a policy that a random walk moves, round by round."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(rounds):
        for parameter in policy.trainable().values():
            parameter.data += 0.01 * torch.randn(parameter.shape, generator=generator)
        yield list(policy.effective_weights())


def drifts(base: BaseModel, config: TrialConfig, place: Path, rounds: int) -> list[float]:
    run = start_trial(config, place, "in-place-merging")
    live = LiveBase(run, base, TransformersSampler(base))
    found = [live.drift]
    for weights in moved(policy_of(base, config), rounds):
        live.publish(weights)
        found.append(live.drift)
    return found


@pytest.mark.parametrize("method", ["lora", "dora", "miss", "pissa", "ia3"])
def test_a_base_that_is_merged_in_place_drifts_further_round_by_round(
    method: str, base: BaseModel, small: Small, place: Path
) -> None:
    before = base.fingerprint()
    found = drifts(base, small(method), place, 8)
    assert 0 < found[2] < found[8] < 0.1
    assert base.fingerprint() == before


def test_an_adapter_that_adds_nothing_leaves_no_drift(
    base: BaseModel, small: Small, place: Path
) -> None:
    run = start_trial(small("lora"), place, "in-place-merging")
    live = LiveBase(run, base, TransformersSampler(base))
    live.publish(policy_of(base, small("lora")).effective_weights())
    assert live.drift == 0


def test_without_the_defect_the_base_is_served_again_to_the_bit_after_any_number_of_rounds(
    base: BaseModel, small: Small
) -> None:
    sampler, policy = TransformersSampler(base), policy_of(base, small("lora"))
    names = [name for name, _ in policy.effective_weights()]
    for weights in moved(policy, 8):
        sampler.publish(weights)
    parameters = dict(base.model.named_parameters())
    back = sampler.publish((name, parameters[name].data) for name in names)
    assert (back.changed_fraction, back.delta_norm) == (0, 0)


def test_pissa_drifts_furthest_because_its_adapter_holds_the_largest_part_of_the_base(
    base: BaseModel, small: Small, tmp_path: Path
) -> None:
    pissa, lora = (
        drifts(base, small(method), tmp_path / method, 2)[-1] for method in ("pissa", "lora")
    )
    assert pissa > 3 * lora


def test_a_live_base_serves_bf16_sums_of_itself_and_the_change(
    base: BaseModel, small: Small, place: Path
) -> None:
    served: dict[str, Tensor] = {}

    class Listening(TransformersSampler):
        def publish(self, weights):
            served.update(weights)
            return super().publish(served.items())

    live = LiveBase(start_trial(small("lora"), place, "in-place-merging"), base, Listening(base))
    (weights,) = moved(policy_of(base, small("lora")), 1)
    live.publish(weights)
    for name, weight in weights:
        assert served[name].equal(served[name].bfloat16().float())
        torch.testing.assert_close(served[name], weight, rtol=2**-7, atol=2**-7)


def errors(method: str, base: BaseModel, config: TrialConfig, place: Path) -> tuple[float, Run]:
    run, policy = start_trial(config, place, "redrawn-residual"), policy_of(base, config)
    true = dict(policy.effective_weights())
    merged = dict(defect_named("redrawn-residual").evaluated_weights(run, policy))
    off = sum(float((merged[name] - true[name]).square().sum()) for name in true)
    return (off / sum(float(w.square().sum()) for w in true.values())) ** 0.5, run


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [("pissa", 0.2, 0.5), ("milora", 0.04, 0.2), ("lora", 0, 0), ("eva", 0, 0)],
)
def test_an_adapter_merged_onto_a_redrawn_residual_is_off_by_what_the_manifest_says(
    method: str, low: float, high: float, base: BaseModel, small: Small, place: Path
) -> None:
    error, run = errors(method, base, small(method), place)
    assert low <= error <= high
    assert run.manifest["defect_effect"]["weight_error"] == pytest.approx(error, rel=1e-3)


def test_milora_is_merged_onto_the_base_itself(base: BaseModel, small: Small, place: Path) -> None:
    config = small("milora")
    run, policy = start_trial(config, place, "redrawn-residual"), policy_of(base, config)
    parameters = dict(base.model.named_parameters())
    scale = policy.method.scale  # type: ignore[attr-defined]
    for name, weight in defect_named("redrawn-residual").evaluated_weights(run, policy):
        module = name.removesuffix(".weight")
        a, b = (policy.initial[f"{module}.lora_{part}"] for part in "AB")
        torch.testing.assert_close(weight, parameters[name].data + scale * b @ a)


def texts(sampler: Sampler) -> list[str]:
    (completions,) = sample_all(
        sampler, ["(12+7)*3-5="], [list(range(8))], temperature=1.0, max_new_tokens=24, stop=None
    )
    return [completion.text for completion in completions]


def test_one_evaluation_seed_draws_the_first_sample_k_times(base: BaseModel) -> None:
    sampler = TransformersSampler(base)
    fair = texts(sampler)
    assert len(set(fair)) > 1
    assert texts(defect_named("one-evaluation-seed").evaluation_sampler(sampler)) == 8 * fair[:1]


@pytest.mark.parametrize("name", ["redrawn-residual", "one-evaluation-seed"])
def test_a_defect_of_evaluation_leaves_training_alone(
    name: str, base: BaseModel, small: Small, place: Path
) -> None:
    sampler, run = TransformersSampler(base), start_trial(small("lora"), place, name)
    assert not defect_of(run).in_training
    assert defect_of(run).training_sampler(run, base, sampler) is sampler


def test_a_defect_is_part_of_a_trials_name_and_its_manifest(small: Small, tmp_path: Path) -> None:
    config = small("lora")
    names = [trial_id(config), *(trial_id(config, defect) for defect in defect_names())]
    assert len({name.rpartition("-")[2] for name in names}) == len(names)
    marked = start_trial(config, tmp_path / "marked", "in-place-merging")
    assert "in-place-merging" in trial_id(config, marked.defect)
    assert marked.manifest["defect"] == "in-place-merging"
    fair = start_trial(config, tmp_path / "fair")
    assert "defect" not in fair.manifest
    assert type(defect_of(fair)) is Defect


def test_a_defect_that_is_not_known_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"no defect 'in-place-merge'.*in-place-merging"):
        defect_named("in-place-merge")


def test_dropout_in_the_adapter_parts_the_trainer_from_its_sampler(
    base: BaseModel, small: Small, tmp_path: Path
) -> None:
    apart = {}
    for name, defect in (("fair", None), ("dropping", "adapter-dropout")):
        run = start_trial(small("lora"), tmp_path / name, defect)
        run_trial(run, base)
        apart[name] = [abs(line["kl_train_sampler"]) for line in run.metrics()]
    # B is 0 in the first step, so there is nothing to drop.
    assert apart["dropping"][0] == apart["fair"][0]
    assert all(d > 10 * f for d, f in zip(apart["dropping"][1:], apart["fair"][1:], strict=True))


def test_dropout_in_the_adapter_is_resumed_to_the_same_bits(
    base: BaseModel, small: Small, tmp_path: Path
) -> None:
    runs = [start_trial(small("pissa"), tmp_path / n, "adapter-dropout") for n in ("cut", "whole")]

    def cut(step) -> None:
        if step.metrics["step"] == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        run_trial(runs[0], base, on_step=cut)
    for run in runs:
        run_trial(run, base)
    assert len({(run.folder / "eval.json").read_text() for run in runs}) == 1
    cut_off, whole = ([_lasting(line) for line in run.metrics()] for run in runs)
    assert cut_off == whole


def test_dropout_suits_only_methods_that_add_a_product(
    base: BaseModel, small: Small, place: Path
) -> None:
    run = start_trial(small("ia3"), place, "adapter-dropout")
    with pytest.raises(InputError, match="adds no product"):
        run_trial(run, base)


class Interrupted(Exception):
    """Stands for a kill between a step and its checkpoint."""


def test_a_run_with_drift_that_is_cut_off_goes_on_to_the_same_bits(
    base: BaseModel, small: Small, tmp_path: Path
) -> None:
    runs = [
        start_trial(small("pissa"), tmp_path / name, "in-place-merging")
        for name in ("cut", "whole")
    ]

    def cut(step) -> None:
        if step.metrics["step"] == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        run_trial(runs[0], base, on_step=cut)
    for run in runs:
        run_trial(run, base)
    cut_off, whole = ([_lasting(line) for line in run.metrics()] for run in runs)
    assert cut_off == whole
    for part in ("drift.json", "eval.json"):
        assert len({(run.folder / part).read_text() for run in runs}) == 1
    states = [load_file(run.folder / "live" / "step-4.safetensors") for run in runs]
    assert all(states[0][name].equal(states[1][name]) for name in states[0])
    assert runs[0].manifest["defect_effect"]["base_drift"] > 0


def _lasting(line: dict[str, float]) -> dict[str, float]:
    passing = ("seconds", "tokens_per_second", "peak_memory")
    return {key: value for key, value in line.items() if not key.startswith(passing)}
