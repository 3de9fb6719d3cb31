"""What one training run is: a frozen, serialisable description, resolved from TOML and options."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from verirank.config._plugins import Kind, load_plugin


class Section(BaseModel):
    """A frozen group of settings in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(Section):
    """The base model.

    `name` is `micro`, `smollm2`, a folder, or a hub id; `dtype` is that of the frozen base.
    """

    name: str = "micro"
    dtype: Literal["float32", "bfloat16"] = "float32"
    revision: str | None = None
    trust_remote_code: bool = False


class TaskConfig(Section):
    """Where problems come from; each task may add settings of its own."""

    name: str = "arithmetic"


class MethodConfig(Section):
    """What every method has; each method's own `Config` adds rank, scaling and the like.

    A `learning_rate` of None stands for the method's own default (config/learning_rates.toml).
    """

    name: str = "lora"
    learning_rate: float | None = Field(default=None, gt=0)


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
    """

    sampler: Literal["transformers", "vllm"] = "transformers"
    problems_per_step: int = Field(default=16, ge=1)
    group_size: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    max_new_tokens: int | None = Field(default=None, ge=1)
    kl_limit: float = Field(default=0.5, gt=0)
    vllm: VLLMConfig = VLLMConfig()


class TrainingConfig(Section):
    """The optimiser's path; `micro_batch_tokens` bounds the tokens of one backward pass."""

    steps: int = Field(default=60, ge=1)
    warmup_steps: int = Field(default=10, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.99)
    max_grad_norm: float = Field(default=1.0, gt=0)
    micro_batch_tokens: int = Field(default=2048, ge=1)


class CheckpointConfig(Section):
    """A checkpoint every `every` steps, of which the newest `keep` stay on disk."""

    every: int = Field(default=20, ge=1)
    keep: int = Field(default=2, ge=1)


class EvaluationConfig(Section):
    """Which benches are sampled before and after training.

    The most `problems` that are asked, `samples` of each (the k of Avg@k) and `temperature`: None
    stands for the bench's own, which are 128, 8 and 1 where the field has no custom.
    """

    benches: tuple[str, ...] = ("test",)
    problems: int | None = Field(default=None, ge=2)
    samples: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, gt=0)


class VerifierConfig(Section):
    """Limits on one answer check: seconds, bytes of memory, and worker processes."""

    deadline_seconds: float = Field(default=2.0, gt=0)
    memory_bytes: int = Field(default=2 * 1024**3, gt=0)
    workers: int = Field(default=2, ge=1)


class MachineConfig(Section):
    """How a trial is computed, never what: none of it is in a trial's name, or has to stay.

    `device` of auto is CUDA where there is one, else MPS, else the CPU. With `shard`, full
    fine-tuning's weights, gradients and moments are split over the processes. With
    `gradient_checkpointing`, a decoder layer keeps its input alone for the backward pass, which
    computes the rest again: for completions that are long for the memory, at a third more time.
    `trackers` are told every step and score beside the run's own files (docs/trackers.md).
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    shard: bool = False
    gradient_checkpointing: bool = False
    trackers: tuple[Literal["tensorboard", "wandb", "trackio", "mlflow"], ...] = ()


class TrialConfig(Section):
    """One training run of (model, method, algorithm, task, hyper-parameters, seed)."""

    seed: int = Field(default=0, ge=0)
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

    @model_validator(mode="after")
    def _only_full_weights_are_sharded(self) -> Self:
        if self.machine.shard and self.method.name != "full":
            raise ValueError(
                f"machine.shard splits the weights of full fine-tuning; {self.method.name} "
                "trains few, and needs no sharding"
            )
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


_GENERIC = (TaskConfig, MethodConfig, AlgorithmConfig)


def plugin_config(kind: Kind, name: str) -> type[Section]:
    """Return the settings class of a method, algorithm or task.

    Raises:
        InputError: no such name is installed.
    """
    return load_plugin(kind, name).Config
