import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import psutil
import pytest

from verirank.config import VerifierConfig, usable_cores
from verirank.verifier import Verifier, judged
from verirank.verifier._cache import VerdictCache

ENDLESS = "9^{9^{9^9}}"
MEMORY_HUNGRY = ("800x", "+".join("x" * 800))
HALF = (r"0.5\dot{x}", r"\dot{x} 0.5")
DEADLINE = 0.3
STOPPED = {"deadline", "unverified"}
"""The reasons of an endless comparison: a machine can be too busy to spend the deadline on it."""


@pytest.fixture(scope="module")
def pool_of_two():
    with Verifier(VerifierConfig(deadline_seconds=DEADLINE, workers=2)) as verifier:
        yield verifier


@pytest.fixture
def verifier(pool_of_two):
    """A verifier whose two workers are running and idle."""
    assert all(reward.correct for reward in pool_of_two.verify_many(distinct(8)))
    yield pool_of_two


@pytest.fixture(scope="module")
def pool_of_one():
    with Verifier(VerifierConfig(deadline_seconds=DEADLINE, workers=1)) as verifier:
        yield verifier


@pytest.fixture
def alone(pool_of_one):
    """A verifier whose one worker is running and idle."""
    assert pool_of_one.verify(*distinct(1)[0]).correct
    yield pool_of_one


def distinct(n: int) -> list[tuple[str, str]]:
    """Return equal pairs that only a worker can compare, and no cache has."""
    return [(rf"{i}\dot{{x}}", rf"\dot{{x}} {i}") for i in islice(_FRESH, n)]


_FRESH = count(1)


def test_an_endless_comparison_ends_at_the_deadline_and_costs_only_its_own_pair(verifier):
    rewards = verifier.verify_many([("7", ENDLESS), *distinct(20)])
    assert rewards[0].reason in STOPPED
    assert DEADLINE <= rewards[0].seconds < DEADLINE + 1
    assert all(reward.correct for reward in rewards[1:])


def test_no_answer_takes_a_second_more_than_its_deadline_on_a_busy_machine():
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        with Verifier(VerifierConfig(deadline_seconds=DEADLINE)) as verifier:
            pairs = [(str(n), ENDLESS) for n in range(4)] + distinct(4)
            rewards = verifier.verify_many(pairs)
    finally:
        for process in burning:
            process.kill()
            process.wait()
    assert max(reward.seconds for reward in rewards) < DEADLINE + 1
    assert {reward.reason for reward in rewards[:4]} <= STOPPED
    assert all(reward.correct for reward in rewards[4:])


def test_a_worker_that_waits_longer_than_its_deadline_for_a_core_still_decides(alone):
    (pid,) = alone._pool.pids()
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(alone.verify, *distinct(1)[0])
        time.sleep(DEADLINE + 0.1)
        os.kill(pid, signal.SIGCONT)
    assert waiting.result().correct
    assert waiting.result().seconds > DEADLINE
    assert alone._pool.pids() == [pid]


def test_a_pair_that_gets_no_core_once_is_tried_again(alone):
    os.kill(alone._pool.pids()[0], signal.SIGSTOP)
    assert alone.verify(*distinct(1)[0]).correct


def test_a_pair_that_gets_no_core_twice_is_unverified_and_compared_anew_later(verifier):
    pair = distinct(1)[0]
    for pid in verifier._pool.pids():
        os.kill(pid, signal.SIGSTOP)
    reward = verifier.verify(*pair)
    assert (reward.correct, reward.reason) == (False, "unverified")
    assert reward.seconds < DEADLINE + 1
    assert verifier.verify(*pair).correct


def test_a_killed_workers_successor_is_warm_at_once(alone):
    os.kill(alone._pool.pids()[0], signal.SIGKILL)
    assert alone.verify(*distinct(1)[0]).correct
    times = psutil.Process(alone._pool.pids()[0]).cpu_times()
    assert times.user + times.system < 0.3  # importing sympy takes twice that


@pytest.mark.parametrize("order", ["server", "server workers", "workers server"])
def test_workers_outlive_the_server_that_forked_them_and_get_another(verifier, order):
    workers = verifier._pool.pids()
    server = psutil.Process(workers[0]).ppid()
    for victims in order.split():
        for pid in [server] if victims == "server" else workers:
            os.kill(pid, signal.SIGKILL)
    assert all(reward.correct for reward in verifier.verify_many(distinct(10)))


def test_servers_and_workers_killed_in_the_middle_of_a_batch_cost_no_pair_its_reward(verifier):
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(verifier.verify_many, distinct(200))
        for victims in ("worker", "server", "worker", "worker"):
            time.sleep(0.1)
            for worker in map(psutil.Process, verifier._pool.pids()[:1]):
                os.kill(worker.ppid() if victims == "server" else worker.pid, signal.SIGKILL)
        assert all(reward.correct for reward in batch.result())


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


def test_there_are_as_many_workers_as_cores_and_none_before_a_pair_needs_one():
    with Verifier(VerifierConfig()) as verifier:
        verifier.verify_many([("7", str(n)) for n in range(20)])
        assert verifier._pool.pids() == []
        assert verifier.verify(*distinct(1)[0]).correct
        assert len(verifier._pool.pids()) == 1
        assert all(reward.correct for reward in verifier.verify_many(distinct(20)))
        assert len(verifier._pool.pids()) <= usable_cores()


def test_workers_killed_while_idle_are_replaced_at_no_cost(verifier):
    old = set(verifier._pool.pids())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert all(reward.correct for reward in verifier.verify_many(distinct(10)))
    assert not old & set(verifier._pool.pids())


def test_workers_killed_in_the_middle_of_a_batch_cost_no_pair_its_reward(verifier):
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(verifier.verify_many, distinct(100))
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


def test_equal_hostile_pairs_are_compared_once(verifier):
    rewards = verifier.verify_many([("7", ENDLESS)] * 16)
    assert len({reward.seconds for reward in rewards}) == 1
    assert {reward.reason for reward in rewards} <= STOPPED


def test_a_pair_seen_before_is_answered_from_the_cache(verifier):
    (pair,) = distinct(1)
    assert verifier.verify(*pair).correct
    old = set(verifier._pool.pids())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert verifier.verify(*pair).correct
    assert set(verifier._pool.pids()) == old


@pytest.mark.parametrize(
    ("reason", "is_kept"),
    [("unverified", False), ("crashed", False), ("deadline", True), ("different", True)],
)
def test_only_verdicts_that_another_moment_may_change_are_not_kept(reason, is_kept):
    cache, key = VerdictCache(), ("maths", "x", "y")
    assert cache.get(key) is None
    cache.keep(key, judged(False, reason))
    assert (cache.get(key) is not None) == is_kept


def test_starting_a_worker_does_not_count_against_the_deadline():
    # A cold start imports sympy, which alone takes longer than this deadline.
    with Verifier(VerifierConfig(deadline_seconds=0.2, workers=1)) as verifier:
        assert verifier.verify(*HALF).correct


def test_closing_ends_the_workers_and_further_use_is_an_error():
    verifier = Verifier(VerifierConfig(workers=1))
    assert verifier.verify(*distinct(1)[0]).correct
    pids = verifier._pool.pids()
    verifier.close()
    verifier.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(RuntimeError, match="closed"):
        verifier.verify(*distinct(1)[0])


def test_an_unguarded_script_that_never_closes_leaves_the_terminal_clean_and_ends():
    script = (
        "from verirank.verifier import Verifier\n"
        "from verirank.config import VerifierConfig\n"
        "print(Verifier(VerifierConfig()).verify(r'\\dot{x}', 'y + 1').reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "different\n", "")
