"""One process of TRL's GRPOTrainer on the same workload; prints what it measured."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import TrainerCallback
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from workload import (
    MOST_STEPS,
    RANK,
    TOKENS,
    WORKLOADS,
    FixedLength,
    Timing,
    Together,
    arguments,
    endless_base,
    peak_bytes,
    since_start,
)

from verirank.config import VerifierConfig
from verirank.integrations.trl import reward_function, training_rows
from verirank.models import LINEARS
from verirank.verifier import Verifier


class _Timed(GRPOTrainer):
    """Keeps the seconds that generating takes, and counts the tokens that are trained.

    With vLLM they hold handing it the weights, too.
    """

    generating = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.tokens: list[int] = []
        super().__init__(*args, **kwargs)

    def _generate(self, prompts: Any) -> Any:
        start = time.perf_counter()
        found = super()._generate(prompts)
        self.generating += time.perf_counter() - start
        return found

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        found = super()._generate_and_score_completions(inputs)
        self.tokens.append(int(found["completion_mask"].sum()))
        return found


def _reload_weights(self: VLLMGeneration) -> None:
    """Give vLLM the weights in a way that its build for CPUs knows; TRL's own fails there."""
    # The adapter is merged only while they are read.
    weights = self._iter_named_params()
    self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})
    self.llm.reset_prefix_cache()


class _Clock(TrainerCallback):
    """Marks the beginning of each timed step, and what was generated until then."""

    def __init__(self, steps: int, together: Together) -> None:
        self.marks: list[tuple[float, float]] = []
        self.trainer: _Timed | None = None
        self.started = 0.0
        self._steps, self._together = steps, together

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Keep the time that the start took."""
        self.started = since_start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the end of a step; the first warms up, those after the last wait for others."""
        if not self.marks:
            self._together.wait()
        if len(self.marks) <= self._steps:
            self._mark()
        if len(self.marks) > self._steps:
            control.should_training_stop = self._together.done()

    def _mark(self) -> None:
        assert self.trainer is not None
        self.marks.append((time.perf_counter(), self.trainer.generating))


def main() -> None:
    """Train some steps and tell their time."""
    asked = arguments()
    torch.set_num_threads(asked["threads"])
    work = WORKLOADS[asked["workload"]]
    base, task = endless_base(work), FixedLength(work.task)
    micro_batch = asked["micro_batch"]
    args = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        max_steps=MOST_STEPS,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=work.completions // micro_batch,
        num_generations=work.group,
        max_completion_length=TOKENS,
        generation_kwargs={"ignore_eos": True} if asked["vllm"] else {"min_new_tokens": TOKENS},
        learning_rate=1e-5,
        gradient_checkpointing=False,
        loss_type="grpo",
        shuffle_dataset=False,
        bf16=work.dtype == "bfloat16",
        use_cpu=True,
        use_vllm=asked["vllm"],
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
    )
    if asked["vllm"]:
        VLLMGeneration.sync_weights = _reload_weights
    clock = _Clock(asked["steps"], Together(**asked["together"]))
    with Verifier(VerifierConfig()) as verifier:
        trainer = _Timed(
            model=base.model.requires_grad_(True),
            args=args,
            processing_class=base.tokenizer,
            train_dataset=Dataset.from_list(training_rows(task, 64, seed=0)),
            reward_funcs=reward_function(task, verifier),
            peft_config=LoraConfig(
                r=RANK,
                lora_alpha=2 * RANK,
                target_modules=list(LINEARS),
                use_dora=asked["method"] == "dora",
                task_type="CAUSAL_LM",
            ),
            callbacks=[clock],
        )
        clock.trainer = trainer
        trainer.train()
    tokens = work.completions * TOKENS
    assert set(trainer.tokens) == {tokens}, f"completions ended early: {trainer.tokens}"
    Timing(
        start_seconds=clock.started,
        step_seconds=[b[0] - a[0] for a, b in pairwise(clock.marks)],
        sample_seconds=[b[1] - a[1] for a, b in pairwise(clock.marks)],
        tokens=tokens,
        peak_bytes=peak_bytes(),
    ).tell()


if __name__ == "__main__":
    main()
