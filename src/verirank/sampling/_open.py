"""Opening the sampler that a trial asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec

from verirank.config import InputError, TrialConfig
from verirank.models import BaseModel, is_four_bit
from verirank.processes import count
from verirank.sampling._completion import Sampler

_INSTALL = "pip install 'verirank[vllm]' for a GPU, or make vllm for a CPU"


def expect_sampler(config: TrialConfig) -> None:
    """Refuse a sampler that is not installed, or that does not serve what a trial asks for.

    Raises:
        InputError: it is not, and the message says how to install it; or it is to be split over
            GPUs that the processes of torchrun have for themselves; or the base is in 4 bits.
    """
    if config.sampling.sampler != "vllm":
        return
    if find_spec("vllm") is None:
        raise InputError(f"sampler 'vllm' needs vLLM, which is not installed; run: {_INSTALL}")
    if count() > 1 and config.sampling.vllm.tensor_parallel_size > 1:
        raise InputError(
            f"each of the {count()} processes has a vLLM engine on its own device, so that "
            "sampling.vllm.tensor_parallel_size has to be 1; or start one process"
        )
    if is_four_bit(config.model):
        raise InputError(
            "vLLM does not serve a policy over a 4-bit base; use sampling.sampler = transformers"
        )


@contextmanager
def open_sampler(
    config: TrialConfig, base: BaseModel, on_progress: Callable[[], None] = lambda: None
) -> Iterator[Sampler]:
    """Give the sampler that a trial's settings name, serving the base's own weights.

    Args:
        config: names the sampler, and how the base was loaded.
        base: the model that is served; it is only read.
        on_progress: is called every now and then while samples are drawn, by any thread.

    Raises:
        InputError: the sampler is not installed, or cannot serve the model.
    """
    expect_sampler(config)
    # Here, because transformers and vLLM take seconds to load, and vLLM changes the process.
    if config.sampling.sampler == "transformers":
        from verirank.sampling._transformers import TransformersSampler

        yield TransformersSampler(base, on_progress=on_progress)
        return
    from verirank.sampling._vllm import VLLMSampler

    with closing(VLLMSampler(base, config.model, config.sampling.vllm, on_progress)) as sampler:
        yield sampler
