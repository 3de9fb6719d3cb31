"""What one training run is: a frozen, serialisable description, resolved from TOML and options."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from verirank.config._native_dtype import Dtype, native_dtype
from verirank.config._plugins import Kind, load_plugin


class Section(BaseModel):
    """A frozen group of settings in which an unknown key, NaN or infinity is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Section):
    """The base model.

    `name` is `micro`, `smollm2`, a folder, or a hub id; `dtype` is that of the frozen base; `auto`
    becomes bfloat16 where the CPU or GPU has instructions for it, else float32, and settings that
    are written or compared hold what it became.
    `adapter` is the folder of an adapter of peft, such as one of supervised fine-tuning: it is
    merged into the weights in fp32 when they are loaded, and the result is this trial's base.
    `quantization` of nf4 holds the frozen linear layers in 4 bits (QLoRA); a folder that is stored
    so needs no such setting.
    """

    name: str = "micro"
    dtype: Dtype = "float32"
    revision: str | None = None
    adapter: str | None = None
    trust_remote_code: bool = False
    quantization: Literal["nf4"] | None = None

    @field_validator("dtype", mode="before")
    @classmethod
    def _resolve_dtype(cls, dtype: Any) -> Any:
        return native_dtype("auto") if dtype == "auto" else dtype


class TaskConfig(Section):
    """Where problems come from; each task may add settings of its own."""

    name: str = "arithmetic"


class MethodConfig(Section):
    """What every method has; each method's own `Config` adds rank, scaling and the like.

    A `learning_rate` of None stands for the method's own default. `start` is the folder of an
    adapter of peft that the method trains on from; the base that the trial is compared with is then
    the model with this adapter (`model.adapter` becomes the same folder). `own_scale` names
    settings whose values mean something else than in other methods: a preset's or study's value for
    all methods leaves them at their defaults.
    """

    own_scale: ClassVar[frozenset[str]] = frozenset()
    name: str = "lora"
    learning_rate: float | None = Field(default=None, gt=0)
    start: str | None = None


class AlgorithmConfig(Section):
    """What every algorithm has; each algorithm's own `Config` sets its paper's values.

    The ratio is clipped to [1 - clip_low, 1 + clip_high]. `kl_coefficient` weighs the k3 penalty
    towards the base model. `importance_cap` truncates exp(logprob_train - logprob_sampler), which
    corrects for a sampler whose numbers differ (0: no correction). `inner_updates` is the number
    of optimiser steps taken on one batch.
    """

    name: str = "grpo"
    clip_low: float = Field(default=0.2, ge=0, le=1)
    clip_high: float = Field(default=0.2, ge=0)
    kl_coefficient: float = Field(default=0.0, ge=0)
    importance_cap: float = Field(default=2.0, ge=0)
    inner_updates: int = Field(default=1, ge=1)


class VLLMConfig(Section):
    """Settings of vLLM under its own names.

    `kv_cache_memory_bytes` of None stands for 1 GiB on a CPU, and on a GPU for what
    `gpu_memory_utilization` leaves. On a GPU, `enforce_eager` of false lets vLLM compile the model
    and capture CUDA graphs, `enable_sleep_mode` frees its memory while the policy is trained, and
    `tensor_parallel_size` splits it over GPUs; none of these, nor `gpu_memory_utilization`, has
    been tested by this project.
    """

    max_model_len: int | None = Field(default=None, ge=1)
    max_num_seqs: int = Field(default=128, ge=1)
    kv_cache_memory_bytes: int | None = Field(default=None, gt=0)
    gpu_memory_utilization: float = Field(default=0.4, gt=0, le=1)
    tensor_parallel_size: int = Field(default=1, ge=1)
    enforce_eager: bool = True
    enable_sleep_mode: bool = False


class SamplingConfig(Section):
    """How completions are drawn; `max_new_tokens` of None stands for the task's own limit.

    `kl_limit` bounds the mean KL from sampler to trainer of a step, nats a token: a run fails above
    it, because its sampler does not serve the policy that is trained. bf16 alone makes up to 0.1.
    `requested_ahead` is how many more problems are sampled at the same time than groups are missing
    in an algorithm's batch that leaves some out; None follows the fraction that was kept so far.
    """

    sampler: Literal["transformers", "vllm"] = "transformers"
    problems_per_step: int = Field(default=16, ge=1)
    group_size: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    max_new_tokens: int | None = Field(default=None, ge=1)
    kl_limit: float = Field(default=0.5, gt=0)
    requested_ahead: int | None = Field(default=None, ge=0)
    vllm: VLLMConfig = VLLMConfig()


Optimiser = Literal["adamw", "sgd", "muon"]


class TrainingConfig(Section):
    """The optimiser and its path; `micro_batch_tokens` bounds the tokens of one backward pass.

    `adamw` takes `betas`, `sgd` and `muon` take `momentum`; Muon steps matrices alone and leaves
    embeddings, heads and vectors to AdamW. After `warmup_steps` the rate follows the `schedule`;
    `wsd` lets it fall over the last `decay_fraction` of the steps.
    """

    steps: int = Field(default=60, ge=1)
    optimizer: Optimiser = "adamw"
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "constant"
    warmup_steps: int = Field(default=10, ge=0)
    decay_fraction: float = Field(default=0.2, gt=0, le=1)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.99)
    max_grad_norm: float = Field(default=1.0, gt=0)
    micro_batch_tokens: int = Field(default=2048, ge=1)


class CheckpointConfig(Section):
    """A checkpoint every `every` steps, or `every_minutes` minutes if that is sooner.

    The newest `keep` of them stay on disk.
    """

    every: int = Field(default=20, ge=1)
    every_minutes: float = Field(default=15.0, gt=0)
    keep: int = Field(default=2, ge=1)


DURING = "selection"
"""The bench that is sampled during training: no bench that is ranked."""


class EvaluationConfig(Section):
    """Which benches are sampled before and after training.

    The most `problems` that are asked, `samples` of each (the k of Avg@k) and `temperature`: None
    stands for the bench's own, which are 128, 8 and 1 where the field has no custom. With `every`,
    the bench `selection` is sampled after every so many training steps, too, and the scores stand
    in these steps' metrics.
    """

    benches: tuple[str, ...] = ("test",)
    problems: int | None = Field(default=None, ge=2)
    samples: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, gt=0)
    every: int | None = Field(default=None, ge=1)

    @property
    def sampled(self) -> tuple[str, ...]:
        """All benches that a trial samples, `selection` among them where it is during training."""
        during = () if self.every is None else (DURING,)
        return tuple(dict.fromkeys((*self.benches, *during)))


class VerifierConfig(Section):
    """Limits on one answer check, and the number of worker processes; None is one a core.

    The deadline counts the worker's own CPU seconds, so that a busy machine changes no verdict.
    """

    deadline_seconds: float = Field(default=2.0, gt=0)
    memory_bytes: int = Field(default=2 * 1024**3, gt=0)
    workers: int | None = Field(default=None, ge=1)


class MachineConfig(Section):
    """How a trial is computed. These settings are not part of its identity and may change.

    `device` of auto is CUDA where there is one, else MPS, else the CPU. With `shard`, full
    fine-tuning's weights, gradients and moments are split over the processes. With
    `gradient_checkpointing`, a decoder layer keeps its input alone for the backward pass, which
    computes the rest again: for completions that are long for the memory, at a third more time.
    `trackers` receive every step and score beside the run's own files (docs/trackers.md).
    With `train_without_signal`, a trial starts though all of the base's rewards are equal.
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    shard: bool = False
    gradient_checkpointing: bool = False
    trackers: tuple[Literal["tensorboard", "wandb", "trackio", "mlflow"], ...] = ()
    train_without_signal: bool = False


_ENGINE = (
    "max_num_seqs",
    "kv_cache_memory_bytes",
    "gpu_memory_utilization",
    "enforce_eager",
    "enable_sleep_mode",
)
_EXECUTION: dict[str, Any] = {
    "machine": True,
    "checkpoint": True,
    "verifier": {"workers"},
    "sampling": {"requested_ahead": True, "vllm": set(_ENGINE)},
}
"""How a trial is executed: no part of its identity, and a resumed run may change it."""


Control = Literal["random-reward", "format-reward", "no-signal"]
"""What a trial is taught instead of right answers, to see how much of a gain that explains."""


class ArmConfig(Section):
    """What trials of several seeds have in common: everything but the seed.

    A `control` is never ranked. It trains by another reward than the task's: `random-reward` is 1
    as often as the base earns it on training problems, whatever the answer, `format-reward` is 1
    for every answer in the form that is asked for; `no-signal` trains with a learning rate of 0.
    """

    model: ModelConfig = ModelConfig()
    task: SerializeAsAny[TaskConfig] = TaskConfig()
    method: SerializeAsAny[MethodConfig] = MethodConfig()
    algorithm: SerializeAsAny[AlgorithmConfig] = AlgorithmConfig()
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    verifier: VerifierConfig = VerifierConfig()
    machine: MachineConfig = MachineConfig()
    control: Control | None = None

    @model_validator(mode="after")
    def _only_full_weights_are_sharded(self) -> Self:
        if self.machine.shard and not load_plugin("method", self.method.name).trains_base:
            raise ValueError(
                f"machine.shard splits the weights of full fine-tuning; {self.method.name} "
                "trains few, and needs no sharding"
            )
        if self.machine.shard and self.training.optimizer == "muon":
            raise ValueError("Muon needs whole matrices, which machine.shard splits; take adamw")
        return self

    @model_validator(mode="before")
    @classmethod
    def _resolve_dtype(cls, settings: Any) -> Any:
        """Resolve `model.dtype` of auto for the device that the trial asks for."""
        model, machine = (_section(settings, name) for name in ("model", "machine"))
        if model.get("dtype") != "auto":
            return settings
        dtype = native_dtype(machine.get("device", MachineConfig().device))
        return {**settings, "model": {**model, "dtype": dtype}}

    @model_validator(mode="after")
    def _compares_with_the_start(self) -> Self:
        start, merged = self.method.start, self.model.adapter
        if start is None or merged == start:
            return self
        if merged is not None:
            raise ValueError(
                f"method.start = {start!r} trains on from an adapter, and model.adapter = "
                f"{merged!r} merges another one into the base: give one of them"
            )
        # In place: pydantic warns of a validator that returns another object.
        object.__setattr__(self, "model", self.model.model_copy(update={"adapter": start}))
        return self

    @field_validator("method", "algorithm", "task", mode="before")
    @classmethod
    def _use_the_plugins_own_settings(cls, value: Any, info: Any) -> Any:
        if type(value) in _GENERIC:
            value = value.model_dump(exclude_unset=True)
        if isinstance(value, Section):
            return value
        name = value.get("name", cls.model_fields[info.field_name].default.name)
        return plugin_config(info.field_name, name).model_validate({**value, "name": name})


def _section(settings: Any, name: str) -> dict[str, Any]:
    section = settings.get(name) if isinstance(settings, dict) else None
    return section if isinstance(section, dict) else {}


class TrialConfig(ArmConfig):
    """One training run of (model, method, algorithm, task, hyper-parameters, seed)."""

    seed: int = Field(default=0, ge=0)

    def identity(self, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return all settings that decide what is trained; how it is executed is left out.

        What is None is left out, too: a setting that comes to be later, off by default, renames no
        trial.

        Args:
            without: sections to leave out as well.
        """
        execution: dict[str, Any] = {**_EXECUTION, **dict.fromkeys(without, True)}
        return self.model_dump(mode="json", exclude=execution, exclude_none=True)

    def executed_as(self, other: TrialConfig) -> TrialConfig:
        """Return this trial with the other's execution settings."""
        engine = {name: getattr(other.sampling.vllm, name) for name in _ENGINE}
        sampling = {
            "requested_ahead": other.sampling.requested_ahead,
            "vllm": self.sampling.vllm.model_copy(update=engine),
        }
        return self.model_copy(
            update={
                "machine": other.machine,
                "checkpoint": other.checkpoint,
                "verifier": self.verifier.model_copy(update={"workers": other.verifier.workers}),
                "sampling": self.sampling.model_copy(update=sampling),
            }
        )


_GENERIC = (TaskConfig, MethodConfig, AlgorithmConfig)


def plugin_config(kind: Kind, name: str) -> type[Section]:
    """Return the settings class of a method, algorithm or task.

    Raises:
        InputError: no such name is installed.
    """
    return load_plugin(kind, name).Config
