from importlib.util import find_spec

import pytest

from verirank.config import InputError, VerifierConfig
from verirank.tasks import grade
from verirank.tasks.reasoning_gym import ReasoningGym, ReasoningGymConfig
from verirank.verifier import Verifier

INSTALLED = find_spec("reasoning_gym") is not None
needs_package = pytest.mark.skipif(
    not INSTALLED, reason="reasoning-gym, an extra, is not installed"
)


@pytest.fixture(scope="module")
def task():
    return ReasoningGym(ReasoningGymConfig(generator="chain_sum"))


@pytest.mark.skipif(INSTALLED, reason="reasoning-gym is installed here")
def test_without_the_package_the_error_is_one_line_with_the_line_that_installs_it():
    with pytest.raises(InputError, match=r"pip install reasoning-gym==0\.1\.25$") as raised:
        ReasoningGym(ReasoningGymConfig())
    assert "\n" not in str(raised.value)


@needs_package
def test_the_stream_and_the_benches_share_no_question(task):
    train = {task.training_problem(0, i).prompt for i in range(100)}
    test, selection = ({p.prompt for p in task.bench(name, 50)} for name in task.benches)
    assert len(test) == len(selection) == 50
    assert not train & test and not train & selection and not test & selection


@needs_package
def test_problems_are_the_same_at_every_call_and_others_for_another_seed(task):
    again = ReasoningGym(ReasoningGymConfig(generator="chain_sum"))
    assert again.training_problem(3, 5) == task.training_problem(3, 5)
    assert again.bench("test", 9) == task.bench("test", 9)
    assert task.training_problem(4, 5) != task.training_problem(3, 5)


@needs_package
@pytest.mark.parametrize("generator", ["chain_sum", "countdown", "sudoku", "knights_knaves"])
def test_the_generators_scorer_judges_inside_the_workers(generator):
    task = ReasoningGym(ReasoningGymConfig(generator=generator))
    problem = task.training_problem(0, 0)
    texts = [rf"\boxed{{{problem.answer}}}", r"\boxed{nonsense}", "no answer"]
    with Verifier(VerifierConfig(workers=1)) as verifier:
        (rewards,) = grade(task, verifier, [problem], [texts])
    assert [reward.correct for reward in rewards] == [True, False, False]
    assert [reward.reason for reward in rewards[::2]] == ["full score", "no answer"]


@needs_package
def test_options_go_to_the_generator(task):
    options = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    small = ReasoningGym(ReasoningGymConfig(generator="chain_sum", options=options))
    assert len(small.training_problem(0, 0).prompt) < 80


@needs_package
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"generator": "chain_sums"}, "no generator 'chain_sums'; did you mean 'chain_sum'"),
        ({"options": {"terms": 2}}, r"task\.options of generator 'chain_sum': .*'terms'"),
        ({"options": {"min_terms": -1}}, r"task\.options of generator 'chain_sum'"),
    ],
)
def test_an_unknown_generator_or_option_is_an_input_error(settings, message):
    with pytest.raises(InputError, match=message):
        ReasoningGym(ReasoningGymConfig(**settings))


@needs_package
def test_an_unknown_bench_is_an_input_error(task):
    with pytest.raises(InputError, match="no bench 'ood'; it has test, selection"):
        task.bench("ood", 1)
