"""Which tokens end a completion."""

from __future__ import annotations

from typing import Any


def find_stop_tokens(model: Any, tokenizer: Any, stop: str | None) -> list[int]:
    """Return the ids that end a completion, sorted: end of sequence, and all that hold `stop`.

    Args:
        model: whose generation settings name ends of its own.
        tokenizer: reads and writes the model's tokens.
        stop: text that ends a completion; None leaves it to the model.
    """
    ends = model.generation_config.eos_token_id
    ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
    ends += [i for i in (tokenizer.eos_token_id,) if isinstance(i, int)]
    if stop is not None:
        words = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
        ends += [i for i, word in enumerate(words) if stop in word]
    return sorted(set(ends))
