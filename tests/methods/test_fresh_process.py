"""What another process makes of a saved policy, be it a new one or one that stood by."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from safetensors.torch import load_file, save_file

from verirank.config import MethodConfig, ModelConfig
from verirank.methods import Policy, save_policy
from verirank.methods.conformance import digest, digests_elsewhere

STANDING_BY = """
import json, os, signal, sys
from pathlib import Path

import psutil

from verirank.config import ModelConfig
from verirank.methods import StandIn
from verirank.methods.conformance._fresh_process import LostProcessError, digests_elsewhere

model, folders = ModelConfig(name=sys.argv[1]), [Path(path) for path in sys.argv[2:]]


def child():
    (found,) = psutil.Process().children()
    return found


answering = StandIn()
print(json.dumps(digests_elsewhere(model, folders, answering)))
answering.close()
killed = StandIn()
child().kill()
try:
    digests_elsewhere(model, folders, killed)
except LostProcessError as error:
    print(error)
without_memory = StandIn()
psutil.Process(child().pid).rlimit(psutil.RLIMIT_DATA, (2**20, 2**20))
try:
    digests_elsewhere(model, folders, without_memory)
except LostProcessError as error:
    print(error)
without_memory.close()
unasked = StandIn()
print(child().pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def saved(toy, folder: Path) -> Policy:
    policy = Policy.create(toy, MethodConfig(name="ia3"), seed=0, total_steps=12)
    save_policy(policy, folder)
    return policy


def test_a_saved_policy_is_judged_by_what_another_process_computes_with_it(toy, tmp_path):
    whole, moved, damaged = (tmp_path / name for name in ("whole", "moved", "damaged"))
    policy, other = saved(toy, whole), saved(toy, damaged)
    state = load_file(damaged / "state.safetensors")
    save_file({name: t + 1e-6 for name, t in state.items()}, damaged / "state.safetensors")
    for parameter in other.trainable().values():
        parameter.data += 1e-6
    save_policy(other, moved)
    found = digests_elsewhere(ModelConfig(name=toy.source), [whole, moved, damaged])
    assert found[:2] == [digest(policy), digest(other)]
    assert found[0] != found[1]
    assert "is damaged: its SHA-256 is not the one in" in found[2]


def test_a_process_that_stood_by_answers_as_a_new_one_and_ends_with_who_forked_it(toy, tmp_path):
    policy = saved(toy, tmp_path / "saved")
    asked = [toy.source, str(tmp_path / "saved"), str(tmp_path / "nothing")]
    done = subprocess.run(
        [sys.executable, "-c", STANDING_BY, *asked], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    answer, killed, without_memory, pid = done.stdout.splitlines()
    same, nothing = json.loads(answer)
    assert same == digest(policy)
    assert "holds no saved policy" in nothing
    assert killed == "the fresh process ended with -9"
    # The second is what the loader says, where a library's own memory is the first that is missing.
    assert re.search("memory|map segment", without_memory.lower()), without_memory
    if psutil.pid_exists(int(pid)):
        psutil.Process(int(pid)).wait(10)
