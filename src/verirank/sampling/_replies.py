"""Completions of several turns: a tool says something, and the model goes on behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from verirank.sampling._completion import Completion, Finished, Order, Orders, Reply
from verirank.sampling._seeds import sample_seed


def with_replies(
    decode: Callable[[Orders], Generator[list[Finished]]],
    orders: Orders,
    tokenizer: Any,
    stop: str | None,
    reply: Reply | None,
) -> Generator[list[Finished]]:
    """Decode orders; where a sample ends in `stop` and a reply comes, go on behind the reply.

    What goes on comes before orders that have not begun. It is an order of its own, of the tokens
    as they were drawn, and its seed is a hash of the sample's and of the turn's number: so it has
    the same bits whatever is decoded beside it.

    Args:
        decode: decodes orders side by side, each to its end.
        orders: gives the next order.
        tokenizer: writes tokens as text, and a reply as tokens.
        stop: text that ends a turn.
        reply: see `Sampler.stream`.

    Yields:
        What has finished since the last time, as `Sampler.stream` does.
    """
    numbers = count()
    going_on = deque[Order]()
    under_way = dict[int, list[_Sample]]()
    finished = dict[int, dict[int, Completion]]()

    def following() -> Order | None:
        if going_on:
            return going_on.popleft()
        if (order := orders()) is None:
            return None
        number = next(numbers)
        under_way[number] = [_Sample(order, sample) for sample in range(len(order.seeds))]
        finished[order.index] = {}
        return replace(order, index=number)

    with closing(decode(following)) as turns:
        for ended in turns:
            whole: list[Finished] = []
            for number, completions in ended:
                for sample, completion in zip(under_way.pop(number), completions, strict=True):
                    more = sample.go_on(completion, tokenizer, stop, reply, next(numbers))
                    if more is not None:
                        under_way[more.index] = [sample]
                        going_on.append(more)
                        continue
                    index, seeds = sample.order.index, sample.order.seeds
                    finished[index][sample.number] = sample.completion(completion, tokenizer)
                    if len(finished[index]) == len(seeds):
                        made = finished.pop(index)
                        whole.append((index, [made[n] for n in range(len(seeds))]))
            yield whole


@dataclass(slots=True)
class _Sample:
    """A sample of an order, and all of its tokens so far, those of replies among them."""

    order: Order
    number: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    replies: list[tuple[int, int]] = field(default_factory=list)
    turns: int = 0
    is_cut: bool = False

    def go_on(
        self, ended: Completion, tokenizer: Any, stop: str | None, reply: Reply | None, index: int
    ) -> Order | None:
        """Take a turn that has ended; return the order of the next one, or None at the end."""
        self.tokens += ended.tokens
        self.logprobs += ended.logprobs
        last = tokenizer.decode(ended.tokens[-1:], skip_special_tokens=True)
        if reply is None or stop is None or ended.truncated or stop not in last:
            return None
        said = reply(tokenizer.decode(self.tokens, skip_special_tokens=True), self.turns)
        if said is None:
            return None
        drawn = len(self.tokens) - sum(end - start for start, end in self.replies)
        left = self.order.limits[self.number] - drawn
        if left <= 0:
            self.is_cut = True
            return None
        self.turns += 1
        if words := tokenizer(said, add_special_tokens=False).input_ids:
            self.replies.append((len(self.tokens), len(self.tokens) + len(words)))
            self.tokens += words
            self.logprobs += [0.0] * len(words)
        seed = sample_seed(self.order.seeds[self.number], "turn", self.turns)
        return Order(index, (*self.order.prompt_tokens, *self.tokens), [seed], [left])

    def completion(self, last: Completion, tokenizer: Any) -> Completion:
        """Return all turns as one completion, of which this is the last one."""
        if not self.turns:
            return replace(last, truncated=last.truncated or self.is_cut)
        return Completion(
            prompt_tokens=self.order.prompt_tokens,
            tokens=tuple(self.tokens),
            logprobs=tuple(self.logprobs),
            text=tokenizer.decode(self.tokens, skip_special_tokens=True),
            truncated=last.truncated or self.is_cut,
            seed=self.order.seeds[self.number],
            replies=tuple(self.replies),
        )
