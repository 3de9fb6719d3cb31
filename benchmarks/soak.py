"""Run micro studies under random faults for hours, and see whether anything changes or grows.

    python benchmarks/soak.py [--minutes 120] [--seed 0] [--out soak.json]

A round is one study of two methods. It is disturbed until it is done, then its leaderboard must be
the undisturbed one's. The faults: kill -9 of a worker, the study or all; SIGSTOP for seconds; no
room for files (RLIMIT_FSIZE); a flipped bit in the newest checkpoint, as soon as a trial has one;
files whose times lie a day off. The others come after 0 to 0.7 of the CPU seconds that the
undisturbed study took, so that they meet its start, its training and its end, however busy the
machine. Exits with 1 where a leaderboard differs, a trial is lost, a flipped bit goes unnoticed, or
a process or half-written file is left.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil

from verirank.record import Run
from verirank.report import write_report
from verirank.study import study_status

STUDY = """
name = "soak"
question = "Does a disturbed study rank as an undisturbed one does?"
preset = "quickstart"
methods = ["lora", "ia3"]
seeds = [0]

[trial.training]
steps = 12

[trial.sampling]
problems_per_step = 16
group_size = 4

[trial.checkpoint]
every = 1

[trial.evaluation]
benches = ["test"]
problems = 16
samples = 2
"""
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
COSTS = {"seconds", "peak_memory_bytes"}
MOST_STARTS, MOST_FAULTS = 20, 8
"""Of one round: after so many faults it may end in peace."""
LATEST = 0.7
"""A fault comes within this part of the CPU seconds that the undisturbed study took."""
MARK = "VERIRANK_SOAK_ROUND"
"""Names a round in the environment of all its processes."""
LOOK_SECONDS = 0.5
ENDING_SECONDS = 20
"""What is left of a round's processes may take so long to end."""
FULL_AT_BYTES = 4_096
NO_ROOM = "a file may not grow as large as it must"
"""What a command says where `no_room` met its own files, with the exit code of a refusal."""
DAY_SECONDS = 86_400

Fault = Callable[["Round", psutil.Process], bool]


class Round:
    """One study in a folder of its own, run until it is done."""

    def __init__(self, out: Path, random: Random, most_faults: int, seconds: float = 0) -> None:
        self.out, self.random, self.seconds = out, random, seconds
        self.left, self.faults = most_faults, Counter[str]()
        self.cpu_seconds = dict[int, float]()
        self.flipped: Path | None = None
        self.noticed = 0
        self.starts = self.memory_bytes = self.descriptors = self.processes = 0
        self.log = ""

    def run(self) -> None:
        """Start the study, disturb it, and start it again until it ends well."""
        file = self.out.with_suffix(".toml")
        file.write_text(STUDY)
        begin = ["study", "run", str(file), "--out", str(self.out)]
        while self.starts < MOST_STARTS:
            self.starts += 1
            again = (self.out / "study.toml").exists()
            arguments = ["study", "resume", str(self.out)] if again else begin
            with tempfile.TemporaryFile("w+") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "verirank", *arguments],
                    env=ENVIRONMENT | {MARK: str(self.out)}, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
                self._disturb(psutil.Process(process.pid))
                code = process.wait()
                log.seek(0)
                self.log = log.read()[-2_000:]
            if code == 0:
                return
            if code == 2 and NO_ROOM not in self.log:
                sys.exit(f"{self.out.name}: the study is refused: {self.log}")

    def _disturb(self, study: psutil.Process) -> None:
        """Let faults come until the study ends; one that cannot strike yet waits."""
        while is_alive(study):
            fault = self.random.choice(FAULTS)
            wait = self.random.uniform(0, LATEST * self.seconds)
            until = self.spent() + (0 if fault is flip_bit else wait)
            struck = False
            while is_alive(study) and not struck:
                time.sleep(LOOK_SECONDS)
                self._measure(study)
                if self.left and self.spent() >= until:
                    with suppress(psutil.Error, OSError):
                        struck = fault(self, study)
            if struck:
                self.faults[fault.__name__] += 1
                self.left -= 1

    def _measure(self, study: psutil.Process) -> None:
        with suppress(psutil.Error):
            now = family(study)
            self.cpu_seconds |= {p.pid: sum(p.cpu_times()[:2]) for p in now}
            self.processes = max(self.processes, len(now))
            self.memory_bytes = max(self.memory_bytes, sum(p.memory_info().rss for p in now))
            self.descriptors = max(self.descriptors, sum(p.num_fds() for p in now))

    def spent(self) -> float:
        """Return the CPU seconds of all processes: a busy machine's clock says little."""
        return sum(self.cpu_seconds.values())

    def damaged_stands(self) -> bool:
        """Tell whether a flipped bit is still to be noticed; count it where it just was."""
        if self.flipped is None:
            return False
        aside = self.flipped.with_name(f"damaged-{self.flipped.name}")
        if not aside.is_dir():
            return True
        shutil.rmtree(aside)
        self.flipped, self.noticed = None, self.noticed + 1
        return False

    def rows(self) -> list[dict[str, object]]:
        """Return the leaderboard without what depends on the machine's load."""
        write_report([self.out], self.out)
        table = json.loads((self.out / "leaderboard.json").read_text())["rows"]
        return [{k: v for k, v in row.items() if k not in COSTS} for row in table]


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def family(study: psutil.Process) -> list[psutil.Process]:
    """Return a study's processes, itself first."""
    return [study, *study.children(recursive=True)]


def kill_one(round: Round, study: psutil.Process) -> bool:
    """Kill one process of the study."""
    round.random.choice(family(study)).kill()
    return True


def kill_all(_: Round, study: psutil.Process) -> bool:
    """Kill all processes, as when a machine goes down."""
    for process in family(study):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return True


def stop_for_a_while(round: Round, study: psutil.Process) -> bool:
    """Stop one process for seconds."""
    process = round.random.choice(family(study))
    process.send_signal(signal.SIGSTOP)
    time.sleep(round.random.uniform(1, 6))
    process.send_signal(signal.SIGCONT)
    return True


def no_room(round: Round, study: psutil.Process) -> bool:
    """Let no process write a larger file for some seconds."""
    infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    limited = family(study)
    for process in limited:
        process.rlimit(resource.RLIMIT_FSIZE, (FULL_AT_BYTES, resource.RLIM_INFINITY))
    time.sleep(round.random.uniform(2, 6))
    with suppress(psutil.NoSuchProcess):
        limited += family(study)  # what was started meanwhile has the limit, too
    for process in limited:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(resource.RLIMIT_FSIZE, infinite)
    return True


def flip_bit(round: Round, study: psutil.Process) -> bool:
    """Kill all, and flip a bit in the newest checkpoint of a trial that has not trained to its end.

    Its resume must set the checkpoint aside, so there is one at a time that is damaged.
    """
    if round.damaged_stands() or not newest_checkpoints(round.out):
        return False
    kill_all(round, study)
    if not (standing := newest_checkpoints(round.out)):
        return False
    round.flipped = round.random.choice(standing)
    victim = round.random.choice(sorted(round.flipped.glob("[!.]*")))
    content = bytearray(victim.read_bytes())
    content[round.random.randrange(len(content))] ^= 1 << round.random.randrange(8)
    victim.write_bytes(content)
    return True


def newest_checkpoints(out: Path) -> list[Path]:
    """Return the newest checkpoint of each trial that still has to train."""
    runs = [Run(folder) for folder in sorted(out.glob("trials/*")) if folder.name != "base"]
    training = [run for run in runs if not (run.folder / "adapter").exists()]
    return [newest for run in training for newest in run.checkpoints()[-1:]]


def shift_times(round: Round, _: psutil.Process) -> bool:
    """Set the times of all files a day off, as a clock that was put right leaves them."""
    shift = round.random.choice((-DAY_SECONDS, DAY_SECONDS))
    for file in round.out.rglob("*"):
        with suppress(OSError):
            os.utime(file, (time.time() + shift, time.time() + shift))
    return True


FAULTS: tuple[Fault, ...] = (
    *(kill_one, kill_all, stop_for_a_while, no_room, shift_times),
    *(flip_bit, flip_bit),  # which comes in training alone
)


def growth(values: list[int]) -> str:
    """Return the medians of the first and the last third of some figures."""
    third = max(1, len(values) // 3)
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    return f"{first:,.0f} to {last:,.0f}"


def main() -> None:
    """Run rounds until the time is up, and print what they were."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--minutes", type=float, default=120)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, help="where the figures are written, as JSON")
    asked = options.parse_args()
    random = Random(asked.seed)
    rounds: list[Round] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        peace = Round(Path(folder, "undisturbed"), random, 0)
        peace.run()
        seconds = peace.spent()
        expected, begin = peace.rows(), time.monotonic()
        while not rounds or time.monotonic() - begin < asked.minutes * 60:
            this = Round(Path(folder, f"round-{len(rounds)}"), random, MOST_FAULTS, seconds)
            this.run()
            rounds.append(this)
            wrong += problems(this, expected)
            minutes = (time.monotonic() - begin) / 60
            print(f"round {len(rounds)}, minute {minutes:.0f}: {dict(this.faults)}", flush=True)
    faults = sum((this.faults for this in rounds), Counter[str]())
    figures = {
        "minutes": round((time.monotonic() - begin) / 60, 1),
        "cpu_seconds_undisturbed": round(seconds),
        "studies": len(rounds),
        "starts": sum(this.starts for this in rounds),
        "faults": dict(faults),
        "flipped_bits_noticed": sum(this.noticed for this in rounds),
        "memory_bytes": growth([this.memory_bytes for this in rounds]),
        "descriptors": growth([this.descriptors for this in rounds]),
        "processes": growth([this.processes for this in rounds]),
        "wrong": wrong,
    }
    print(json.dumps(figures, indent=2))
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(bool(wrong))


def problems(this: Round, expected: list[dict[str, object]]) -> list[str]:
    """Return what a round lost, changed or left behind."""
    found = []
    name = this.out.name
    if study_status(this.out).count("done") != 2:
        return [f"{name}: trials are not done after {this.starts} starts: {this.log}"]
    if this.rows() != expected:
        found.append(f"{name}: another leaderboard")
    if half := [str(file) for file in this.out.rglob("*.partial")]:
        found.append(f"{name}: half-written files {half}")
    if this.damaged_stands():
        found.append(f"{name}: a flipped bit in {this.flipped} went unnoticed")
    if left := processes_left(this.out):
        found.append(f"{name}: processes left {left}")
    return found


def processes_left(out: Path) -> list[int]:
    """Return the ids of a round's processes that do not end by themselves soon."""
    until = time.monotonic() + ENDING_SECONDS
    while left := [process.pid for process in psutil.process_iter() if is_of(process, out)]:
        if time.monotonic() > until:
            return left
        time.sleep(LOOK_SECONDS)
    return []


def is_of(process: psutil.Process, out: Path) -> bool:
    """Tell whether a process belongs to a round."""
    with suppress(psutil.Error, OSError):
        return process.environ().get(MARK) == str(out) and is_alive(process)
    return False


if __name__ == "__main__":
    main()
