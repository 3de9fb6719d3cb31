"""`verirank power`, as a user and a script see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from verirank.cli import root
from verirank.config import InputError
from verirank.tasks import benches

BENCHES = Path(__file__).parents[3] / "shared" / "data" / "bench"


def power(*arguments: str):
    return CliRunner().invoke(root, ["power", *arguments])


def rows(*arguments: str) -> list[dict]:
    done = power(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["rows"]


def test_a_table_says_what_each_number_of_seeds_can_resolve() -> None:
    done = power("--bench", "aime24", "--difference", "2")
    assert done.exit_code == 0
    assert "30 problems; a difference of 2 points" in done.output
    assert "no k does" in done.output and "these runs" in done.output
    assert "this design resolves" in done.output and "with 80 % power" in done.output


def test_json_says_what_no_number_of_samples_reaches_and_how_many_seeds_do() -> None:
    (row,) = rows("--bench", "aime24", "--difference", "2", "--seeds", "3")
    assert row["samples_needed"] is None and row["seeds_needed"] > 3
    assert row["detectable_at_any_samples"] > 2
    (enough,) = rows("--bench", "aime24", "--difference", "2", "--seeds", str(row["seeds_needed"]))
    assert enough["power"] >= 0.8 and enough["samples_needed"] <= 32


def test_the_samples_that_are_needed_have_the_power() -> None:
    asked = ("--bench", "math-500", "--difference", "2", "--seeds", "10")
    needed = rows(*asked)[0]["samples_needed"]
    assert rows(*asked, "--samples", str(needed))[0]["power"] >= 0.8


def test_more_methods_resolve_less() -> None:
    asked = ("--bench", "math-500", "--difference", "2", "--seeds", "5")
    alone, of_many = rows(*asked)[0], rows(*asked, "--arms", "12")[0]
    assert of_many["detectable"] > alone["detectable"]


def test_the_assumptions_can_be_changed_and_are_printed() -> None:
    asked = ("--bench", "aime24", "--difference", "2", "--seeds", "5")
    done = power(*asked, "--seed-sd", "3", "--accuracy", "50", "--effect-sd", "4", "--json")
    assumed = json.loads(done.output)["assumed"]
    assert (assumed["accuracy"], assumed["seed_sd"], assumed["effect_sd"]) == (50.0, 3.0, 4.0)
    assert json.loads(done.output)["rows"][0]["detectable"] > rows(*asked)[0]["detectable"]


def test_one_seed_is_about_these_runs() -> None:
    (row,) = rows("--bench", "aime24", "--difference", "2", "--seeds", "1")
    assert row["about"] == "these runs" and row["seeds_needed"] is None


def test_an_unknown_bench_is_refused_with_the_nearest_name() -> None:
    done = power("--bench", "aime42", "--difference", "2")
    assert isinstance(done.exception, InputError)
    assert "no bench 'aime42'; did you mean" in str(done.exception)


@pytest.mark.parametrize("number", ["nan", "-nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize("option", ["--difference", "--seed-sd", "--effect-sd", "--accuracy"])
def test_a_number_that_is_not_finite_is_refused(option: str, number: str) -> None:
    done = power("--bench", "aime24", "--difference", "2", option, number)
    assert done.exit_code == 2 and "Traceback" not in done.output


@pytest.mark.parametrize("extreme", ["--seeds=1" + 23 * "0", "--accuracy=0.001", "--arms=1000000"])
def test_an_extreme_design_is_answered(extreme: str) -> None:
    assert rows("--bench", "aime24", "--difference", "2", extreme)


@pytest.mark.parametrize("points", ["0", "-1", "100", "two"])
def test_a_difference_outside_0_to_100_points_is_refused(points: str) -> None:
    assert power("--bench", "aime24", "--difference", points).exit_code == 2


@pytest.mark.parametrize("bench", ["aime24", "aime25", "amc23", "hmmt25", "math-500", "minerva"])
def test_a_bench_has_as_many_problems_as_its_file(bench: str) -> None:
    file = BENCHES / f"{bench.replace('-', '')}.jsonl"
    if not file.exists():
        pytest.skip("the benches' problems are not beside the repository")
    lines = file.read_text("utf-8").splitlines()
    assert benches()[bench].problems == len([line for line in lines if line.strip()])


def test_problems_of_ones_own_are_a_number_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("question,answer\n" + "".join(f"What is {n}+1?,{n + 1}\n" for n in range(40)))
    asked = ("--difference", "5", "--seeds", "3")
    by_number = power("--problems", "40", *asked)
    assert by_number.exit_code == 0, by_number.output
    assert by_number.output.startswith("your own: 40 problems; a difference of 5 points")
    assert rows("--problems", "40", *asked) == rows("--bench", str(file), *asked)
    assert rows("--bench", "aime24", "--problems", "300", *asked) != rows(
        "--bench", "aime24", *asked
    )
    assert "give --bench NAME, or --problems N" in str(power(*asked).exception)
