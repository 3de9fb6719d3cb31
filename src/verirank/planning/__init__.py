"""What a trial will need before it is run: tokens, FLOPs, memory and hours, from shapes alone."""

from verirank.planning._decoding import Engine, LengthModel, refill
from verirank.planning._gpus import GPU, UTILISATION, gpu, gpus
from verirank.planning._hours import (
    AT_LIMIT,
    KEPT,
    Costs,
    Hours,
    engine_of,
    hours_by,
    hours_of,
)
from verirank.planning._memory import Memory, memory_of
from verirank.planning._work import (
    PROMPT_TOKENS,
    Lengths,
    Work,
    token_limit,
    usual_lengths,
    work_of,
)

__all__ = [
    "AT_LIMIT",
    "GPU",
    "KEPT",
    "PROMPT_TOKENS",
    "UTILISATION",
    "Costs",
    "Engine",
    "Hours",
    "LengthModel",
    "Lengths",
    "Memory",
    "Work",
    "engine_of",
    "gpu",
    "gpus",
    "hours_by",
    "hours_of",
    "memory_of",
    "refill",
    "token_limit",
    "usual_lengths",
    "work_of",
]
