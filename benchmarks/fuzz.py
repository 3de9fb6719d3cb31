"""Fuzz for as long as asked: the properties of tests/test_fuzz_inputs.py and of the verifier, anew.

    python benchmarks/fuzz.py [--minutes 60] [--seed 0]

Runs the tests with one seed after the other, and ends at the first that fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ("tests/test_fuzz_inputs.py", "tests/verifier/test_fuzz.py")


def main() -> None:
    """Run rounds until the time is up."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    end, seed = time.monotonic() + 60 * asked.minutes, asked.seed
    while time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", "-q", "-x", f"--hypothesis-seed={seed}", *TESTS]
        if subprocess.run(command, cwd=ROOT).returncode:
            sys.exit(f"seed {seed} fails; repeat it with {' '.join(command[1:])}")
        seed += 1
    print(f"{seed - asked.seed} seeds without a failure")


if __name__ == "__main__":
    main()
