"""Try the verifier on generated pairs, and on the golds of the benches.

    python benchmarks/verifier.py [--unequal 100000] [--equal 20000] [--data-dir DIR] [--fails FILE]

Prints false positives and the fraction of equal pairs accepted, by kind; with a folder of benches
also their golds against themselves and other notations of them. Exits with 1 where a pair that is
not equal was accepted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from notations import KINDS, Pair, equal_pairs, unequal_pairs

from verirank.config import VerifierConfig
from verirank.tasks import benches, find_confusion, read_bench
from verirank.verifier import Verifier


def main() -> None:
    """Generate, verify, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--unequal", type=int, default=100_000)
    options.add_argument("--equal", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--data-dir", help="a folder with bench/ files")
    options.add_argument(
        "--fails", type=Path, help="where misjudged pairs are written, as JSON lines"
    )
    asked = options.parse_args()
    with Verifier(VerifierConfig()) as verifier:
        wrong = [
            *_report("unequal", unequal_pairs(KINDS, asked.unequal, asked.seed), verifier),
            *_report("equal", equal_pairs(KINDS, asked.equal, asked.seed), verifier),
        ]
        if asked.data_dir:
            wrong += _benches(asked.data_dir, verifier)
    if asked.fails:
        asked.fails.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in wrong))
    sys.exit(any(not row["equal"] for row in wrong))


def _report(name: str, pairs: Iterable[Pair], verifier: Verifier) -> Iterator[dict[str, object]]:
    """Print how the pairs are judged by kind, and yield those judged wrongly."""
    pairs = list(dict.fromkeys(pairs))
    start, spent = time.perf_counter(), _cpu_seconds()
    rewards = verifier.verify_many([(pair.gold, pair.prediction) for pair in pairs])
    seconds, spent = time.perf_counter() - start, _cpu_seconds() - spent
    wrong = [
        (pair, reward)
        for pair, reward in zip(pairs, rewards, strict=True)
        if reward.correct != pair.equal
    ]
    of_kind, wrong_of_kind = (
        Counter(pair.kind for pair in group) for group in (pairs, [p for p, _ in wrong])
    )
    print(
        f"{name}: {len(pairs) - len(wrong)} of {len(pairs)} pairs right "
        f"({1 - len(wrong) / max(1, len(pairs)):.2%}), {len(pairs) / seconds:.0f} pairs a second; "
        f"{spent / len(pairs) * 1e6:.0f} microseconds of CPU a pair, so that two cores compare "
        f"{2 * len(pairs) / spent:.0f} a second"
    )
    for kind, n in of_kind.items():
        if wrong_of_kind[kind]:
            print(f"  {kind}: {wrong_of_kind[kind]} of {n} wrong")
    for pair, reward in wrong:
        yield {**vars(pair), "reason": reward.reason, "rule": reward.rule}


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of the workers that live, and what they waited for.

    Workers that are started or killed between two calls make a small error.
    """
    here = psutil.Process()
    family = [here, *here.children(recursive=True)]
    return sum(t.user + t.system + t.children_user for t in (p.cpu_times() for p in family))


def _benches(data_dir: str, verifier: Verifier) -> Iterator[dict[str, object]]:
    for name in benches():
        try:
            found = find_confusion(read_bench(name, data_dir), verifier)
        except ValueError as error:
            print(f"{name}: {error}")
            continue
        print(
            f"{name}: {found.self_right} of {found.golds} golds right against themselves, "
            f"{found.rewritings_right} of {found.rewritings} in other notations, "
            f"{found.neighbours_accepted} of {found.neighbours} neighbours accepted"
        )
        for pair in found.misjudgements:
            yield {
                "kind": f"{name}, {pair.kind}, {pair.rewriting}",
                "gold": pair.gold,
                "prediction": pair.prediction,
                "equal": pair.kind != "neighbour",
                "reason": pair.reason,
            }


if __name__ == "__main__":
    main()
