"""What a trial will need before it is run: tokens, FLOPs, memory and hours, from shapes alone."""

from verirank.planning._gpus import GPU, UTILISATION, gpu, gpus
from verirank.planning._hours import AT_LIMIT, KEPT, Hours, hours_of
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
    "Hours",
    "Lengths",
    "Memory",
    "Work",
    "gpu",
    "gpus",
    "hours_of",
    "memory_of",
    "token_limit",
    "usual_lengths",
    "work_of",
]
