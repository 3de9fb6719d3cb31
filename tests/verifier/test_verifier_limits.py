import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from verirank.config import VerifierConfig
from verirank.verifier import Verifier
from verirank.verifier._cache import VerdictCache

ENDLESS = "9^{9^{9^9}}"
MEMORY_HUNGRY = ("800x", "+".join("x" * 800))
HALF = (r"\frac{1}{2}", r"\frac{2}{4}")


@pytest.fixture
def verifier():
    with Verifier(VerifierConfig(deadline_seconds=1.0, workers=2)) as verifier:
        assert all(r.correct for r in verifier.verify_many([HALF, ("x+1", "1+x")]))
        yield verifier


def distinct(n: int) -> list[tuple[str, str]]:
    return [(rf"\frac{{{i}}}{{97}}", f"{i}/97") for i in range(1, n + 1)]


def test_an_endless_comparison_ends_at_the_deadline_and_costs_only_its_own_pair(verifier):
    start = time.monotonic()
    rewards = verifier.verify_many([("7", ENDLESS), *distinct(20)])
    assert time.monotonic() - start < 8
    assert rewards[0].reason == "deadline"
    assert 1.0 <= rewards[0].seconds < 4
    assert all(reward.correct for reward in rewards[1:])


@pytest.mark.parametrize(
    "answer",
    [
        "(" * 60 + "1" + ")" * 60,
        r"\sum_{n=1}^{10^9} n",
        "1" * 10**6,
        "(" * 15_000,
        "x\0y",
        "\0",
        "\ud800",
        r"\boxed{" * 500,
        "$" * 999,
    ],
    ids=["parentheses", "sum", "megabyte", "unclosed", "nul", "nul-only", "surrogate", "box", "$"],
)
def test_a_hostile_answer_costs_a_zero_and_later_pairs_are_unaffected(verifier, answer):
    assert verifier.verify("7", answer).value == 0.0
    assert verifier.verify(*HALF).correct


def test_a_hostile_gold_costs_a_zero(verifier):
    assert verifier.verify(ENDLESS, "7").value == 0.0
    assert verifier.verify("\ud800", "7").value == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the address-space limit")
def test_a_right_answer_that_exhausts_the_memory_limit_costs_a_zero_and_no_more():
    ample = VerifierConfig(memory_bytes=2**30, workers=1, deadline_seconds=60)
    scarce = VerifierConfig(memory_bytes=6 * 2**20, workers=1, deadline_seconds=60)
    with Verifier(ample) as verifier:
        assert verifier.verify(*MEMORY_HUNGRY).correct
    with Verifier(scarce) as verifier:
        assert verifier.verify(*MEMORY_HUNGRY).value == 0.0
        assert verifier.verify(*HALF).correct


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the address-space limit")
def test_workers_live_under_the_memory_limit(verifier):
    for pid in verifier._pool.pids():
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        limit = next(line for line in limits if line.startswith("Max address space"))
        assert 2 * 2**30 < int(limit.split()[3]) < 3 * 2**30


def test_workers_killed_while_idle_are_replaced_at_no_cost(verifier):
    old = set(verifier._pool.pids())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert all(reward.correct for reward in verifier.verify_many(distinct(10)))
    assert not old & set(verifier._pool.pids())


def test_workers_killed_in_the_middle_of_a_batch_cost_no_pair_its_reward(verifier):
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(verifier.verify_many, distinct(600))
        for _ in range(3):
            time.sleep(0.1)
            for pid in verifier._pool.pids():
                os.kill(pid, signal.SIGKILL)
                break
        assert all(reward.correct for reward in batch.result())


def test_many_threads_verify_at_once(verifier):
    pairs = distinct(64)
    with ThreadPoolExecutor(16) as threads:
        rewards = list(threads.map(lambda pair: verifier.verify(*pair), pairs))
    assert all(reward.correct for reward in rewards)


def test_equal_hostile_pairs_cost_one_deadline_together(verifier):
    start = time.monotonic()
    rewards = verifier.verify_many([("7", ENDLESS)] * 16)
    assert time.monotonic() - start < 5
    assert {reward.reason for reward in rewards} == {"deadline"}


def test_a_pair_seen_before_is_answered_from_the_cache(verifier):
    old = set(verifier._pool.pids())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert verifier.verify(*HALF).correct
    assert set(verifier._pool.pids()) == old


def test_a_pair_that_met_its_deadline_is_compared_anew(verifier):
    pair = distinct(1)[0]
    pids = verifier._pool.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert verifier.verify(*pair).reason == "deadline"
    for pid in set(pids) & set(verifier._pool.pids()):
        os.kill(pid, signal.SIGCONT)
    assert verifier.verify(*pair).correct


@pytest.mark.parametrize(
    ("first", "later"), [("deadline", "equal"), ("crashed", "equal"), ("different", "different")]
)
def test_only_verdicts_that_another_moment_may_change_are_not_kept(first, later):
    verdicts = iter([(False, first), (True, "equal")])
    cache = VerdictCache(lambda comparison, gold, prediction: next(verdicts))
    assert cache.compare("maths", "x", "y")[1] == first
    assert cache.compare("maths", "x", "y")[1] == later


def test_starting_a_worker_does_not_count_against_the_deadline():
    # A cold start imports sympy, which alone takes longer than this deadline.
    with Verifier(VerifierConfig(deadline_seconds=0.2, workers=1)) as verifier:
        assert verifier.verify(*HALF).correct


def test_closing_ends_the_workers_and_further_use_is_an_error(verifier):
    pids = verifier._pool.pids()
    verifier.close()
    verifier.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(RuntimeError, match="closed"):
        verifier.verify("x", "y")


def test_an_unguarded_script_that_never_closes_leaves_the_terminal_clean_and_ends():
    script = (
        "from verirank.verifier import Verifier\n"
        "from verirank.config import VerifierConfig\n"
        "print(Verifier(VerifierConfig()).verify('x^2', 'x^3').reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "different\n", "")
