"""A study's file: what it may say, and which trials come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from verirank.config import CONTENDERS, InputError, load_plugin
from verirank.methods import create_method
from verirank.models import load_shape
from verirank.study import make_study, read_study
from verirank.trial import trial_id

STUDIES = Path(__file__).parents[2] / "studies"
PLAIN = {"name": "s", "preset": "quickstart"}


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.toml")), ids=lambda file: file.stem)
def test_every_shipped_study_resolves(file: Path) -> None:
    study = read_study(file)
    assert study.name == file.stem
    assert study.question.endswith("?")
    assert study.arms()


def test_a_name_that_a_terminal_would_obey_is_refused() -> None:
    with pytest.raises(InputError, match="control characters"):
        make_study({**PLAIN, "name": "s\x1b[2J"})


def test_no_methods_named_means_the_thirteen_contenders() -> None:
    arms = make_study(PLAIN).arms()
    assert [arm.method for arm in arms] == list(CONTENDERS)


def test_a_preset_rank_reaches_only_the_methods_that_have_one() -> None:
    lora, ia3 = make_study({**PLAIN, "methods": ["lora", "ia3"]}).arms()
    assert lora.settings.method.model_dump()["rank"] == 8
    assert "rank" not in ia3.settings.method.model_dump()


def test_a_shared_rank_is_not_veras_but_one_of_its_own_is() -> None:
    shared = {**PLAIN, "methods": ["lora", "vera"], "trial": {"method": {"rank": 4}}}
    ranks = [arm.settings.method.model_dump()["rank"] for arm in make_study(shared).arms()]
    assert ranks == [4, 256]
    (own,) = make_study({**PLAIN, "methods": ["vera"], "overrides": {"vera": {"rank": 4}}}).arms()
    assert own.settings.method.model_dump()["rank"] == 4


@pytest.mark.parametrize("method", ["vera", "ia3"])
def test_a_setting_that_no_method_of_the_study_shares_is_refused(method: str) -> None:
    study = {**PLAIN, "methods": [method], "trial": {"method": {"rank": 4}}}
    with pytest.raises(InputError, match="none of its methods takes rank"):
        make_study(study).arms()
    (arm,) = make_study({**PLAIN, "methods": [method]}).spelled_out().arms()
    assert arm == make_study({**PLAIN, "methods": [method]}).arms()[0]


def test_a_trial_spells_out_its_learning_rate_so_that_its_name_stays_true() -> None:
    (arm,) = make_study({**PLAIN, "methods": ["lora"]}).arms()
    assert arm.learning_rate == load_plugin("method", "lora").default_rates.micro


def test_equal_settings_have_equal_names_whatever_study_they_are_in() -> None:
    (one,) = make_study({**PLAIN, "methods": ["lora"]}).arms()
    rate = load_plugin("method", "lora").default_rates.micro
    trial = {"method": {"learning_rate": rate, "rank": 8}}
    (two,) = make_study({**PLAIN, "name": "t", "methods": ["lora"], "trial": trial}).arms()
    (other,) = make_study({**PLAIN, "methods": ["lora"], "seeds": [1]}).arms()
    assert one.name == two.name == other.name
    assert trial_id(one.trial(0)) == trial_id(two.trial(0)) != trial_id(other.trial(1))


def test_crossed_axes_make_every_combination() -> None:
    axes = {"method.rank": [1, 8], "algorithm.name": ["grpo", "dapo"]}
    arms = make_study({**PLAIN, "methods": ["lora"], "axes": axes}).arms()
    found = {
        (arm.settings.method.model_dump()["rank"], arm.settings.algorithm.name) for arm in arms
    }
    assert found == {(1, "grpo"), (1, "dapo"), (8, "grpo"), (8, "dapo")}


def test_one_axis_at_a_time_starts_from_the_trial_as_it_is() -> None:
    axes = {"method.rank": [1, 8], "algorithm.name": ["grpo", "dapo"]}
    arms = make_study(
        {**PLAIN, "methods": ["lora"], "axes": axes, "design": "one-at-a-time"}
    ).arms()
    found = {
        (arm.settings.method.model_dump()["rank"], arm.settings.algorithm.name) for arm in arms
    }
    assert found == {(8, "grpo"), (1, "grpo"), (8, "dapo")}
    assert len(arms) == 3


def test_a_method_without_an_axis_key_is_left_out_of_a_crossed_study() -> None:
    arms = make_study({**PLAIN, "methods": ["lora", "ia3"], "axes": {"method.rank": [1]}}).arms()
    assert [arm.method for arm in arms] == ["lora"]


def test_of_the_methods_that_are_named_those_left_out_are_told_with_what_they_lack() -> None:
    axes = {"method.rank": [1], "training.steps": [2]}
    named = {**PLAIN, "methods": ["lora", "ia3"], "axes": axes}
    assert make_study(named).left_out() == {"ia3": ("method.rank",)}
    assert make_study({**PLAIN, "axes": axes}).left_out() == {}
    # There the trial as it is stands for a method, too.
    assert make_study({**named, "design": "one-at-a-time"}).left_out() == {}


def test_steps_of_a_method_stand_over_those_of_all() -> None:
    study = make_study({**PLAIN, "methods": ["lora", "ia3"], "steps": {"ia3": 7}})
    assert [arm.steps for arm in study.arms()] == [50, 7]


def test_matched_parameters_solve_the_rank_of_every_method() -> None:
    study = make_study({**PLAIN, "methods": ["lora", "miss", "lora-fa"], "match": "parameters"})
    lora, *others = study.arms()
    shape = load_shape(lora.settings.model)
    wanted = create_method(lora.settings.method).count(shape)
    for arm in others:
        rank = arm.settings.method.model_dump()["rank"]
        count = create_method(arm.settings.method).count(shape)
        assert rank != 8
        assert abs(count - wanted) <= count / rank, "another rank would come closer"


def test_ranks_are_solved_for_loras_own_arm() -> None:
    settings = {
        **PLAIN,
        "methods": ["lora", "miss"],
        "match": "parameters",
        "axes": {"method.rank": [4, 8]},
        "overrides": {"miss": {"modules": ["q_proj", "v_proj"]}, "lora": {"modules": ["q_proj"]}},
    }
    arms = make_study(settings).arms()
    shape = load_shape(arms[0].settings.model)
    counts = [create_method(arm.settings.method).count(shape) for arm in arms]
    loras, others = counts[:2], counts[2:]
    assert loras[1] == 2 * loras[0]
    assert [round(a / b) for a, b in zip(others, loras, strict=True)] == [1, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metods": ["lora"]}, "unknown key 'metods'; did you mean 'methods'"),
        ({"methods": ["lorra"]}, "unknown method 'lorra'; did you mean 'lora'"),
        ({"methods": []}, "my.toml: methods is empty; leave it out"),
        (
            {"axes": {"method.lr": [1]}},
            "no setting 'method.lr'; did you mean 'method.learning_rate'",
        ),
        ({"axes": {"seed": [1, 2]}}, "named under `seeds`"),
        ({"axes": {"method.rnk": [1]}}, "no setting 'method.rnk'; did you mean 'method.rank'"),
        ({"axes": {"rank": [1]}}, "no setting 'rank'; did you mean 'method.rank'"),
        ({"axes": {"lr": [1]}}, "no setting 'lr'; did you mean 'method.learning_rate'"),
        ({"trial": {"lr": 1}}, r"did you mean 'trial\.method\.learning_rate'"),
        ({"benches": ["test"]}, r"did you mean 'trial\.evaluation\.benches'"),
        (
            {"steps": 9},
            r"steps is a section with settings of its own; did you mean 'trial\.training\.steps'",
        ),
        ({"methods": ["qlora"]}, r"it is 'lora' with model\.quantization"),
        ({"axes": {"model.dtype": ["float32", "bfloat16"]}}, "model.dtype cannot be an axis"),
        ({"axes": {"evaluation.problems": [8, 16]}}, "make a study of each value"),
        ({"seeds": []}, "seeds must be named"),
        ({"seeds": [1, 1]}, "seeds must be named once"),
        ({"match": "time", "axes": {"method.rank": [1, 2]}}, "it has no axes"),
        (
            {"match": "time", "protocol": "fair", "seeds": [0, 1, 2]},
            "search with match = 'rank', then rank with match = 'time'",
        ),
        ({"steps": {"lorra": 4}}, "unknown method 'lorra'; did you mean 'lora'"),
        ({"steps": {"lora": 0}}, "steps.lora must be 1 or more"),
        ({"protocol": "fair"}, "at least three seeds"),
        ({"protocol": "fair", "seeds": [0, 1, 1000]}, "seed 1000 is the search's"),
        ({"protocol": "unfair"}, "protocol"),
        ({"search": {"rungs": [0.5, 1.0]}}, "rungs"),
        ({"search": {"rungs": [0.5, 0.25]}}, "rungs must rise"),
        ({"search": {"seeds": [7]}}, "seeds must be two at least"),
        ({"search": {"seeds": [7, 7]}}, "named once each"),
        ({"axes": {"method.rank": []}}, "axis 'method.rank' has no values"),
        (
            {"trial": {"training": {"stpes": 3}}},
            "'trial.training.stpes'; did you mean 'trial.training.steps'",
        ),
        ({"trial": {"method": {"rnk": 3}}}, "'trial.method.rnk'; did you mean 'trial.method.rank'"),
        ({"trial": {"evaluation": {"problems": "x"}}}, "trial.evaluation.problems = 'x'"),
        ({"axes": {"method.rank": ["x"]}}, "axes.method.rank = 'x'"),
        (
            {"overrides": {"lora": {"rnk": 3}}},
            "'overrides.lora.rnk'; did you mean 'overrides.lora.rank'",
        ),
        ({"search": {"learning_rates": 3}}, "search is the fair protocol's; set protocol = 'fair'"),
        (
            {"protocol": "fair", "seeds": [0, 1, 2], "search": {"bench": "aime"}},
            "task 'arithmetic' has no bench 'aime'; it has test, ood, selection",
        ),
        ({"search": {"learning_rate": 3}}, "did you mean 'search.learning_rates'"),
    ],
)
def test_a_mistake_is_one_line(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_study({**PLAIN, **settings}, "my.toml").arms()
    assert "\n" not in str(caught.value)


def test_a_search_at_its_defaults_may_stand_in_a_study_that_searches_nothing() -> None:
    assert make_study({**PLAIN, "search": {"learning_rates": 5, "bench": "selection"}}).arms()


def test_an_axis_that_no_setting_has_is_refused() -> None:
    with pytest.raises(InputError, match=r"group_sice.*did you mean 'sampling.group_size'"):
        make_study({**PLAIN, "axes": {"sampling.group_sice": [4]}}).arms()


def test_a_missing_or_broken_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study"):
        read_study(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(InputError, match="cannot read"):
        read_study(tmp_path / "broken.toml")


FAIR = {"name": "s", "preset": "paper-1.5b", "protocol": "fair", "seeds": [0, 1, 2]}


def test_a_search_is_centred_on_each_methods_default_whatever_its_preset_says() -> None:
    study = make_study(FAIR)
    priors = {arm.method: arm.learning_rate for arm in study.arms()}
    assert priors == {name: load_plugin("method", name).default_rates.other for name in CONTENDERS}
    # Its study.toml holds the preset's settings, and must not bring the rate back.
    begun = make_study(study.spelled_out().model_dump(exclude_none=True))
    assert {arm.method: arm.learning_rate for arm in begun.arms()} == priors


def test_a_rate_given_for_one_method_centres_its_search_alone() -> None:
    overrides = {"ia3": {"learning_rate": 0.5}}
    settings = {**FAIR, "methods": ["lora", "ia3"], "overrides": overrides}
    lora, ia3 = make_study(settings).arms()
    assert lora.learning_rate == load_plugin("method", "lora").default_rates.other
    assert ia3.learning_rate == 0.5
    alone = {"method": {"learning_rate": 3e-4}}
    (arm,) = make_study({**FAIR, "trial": alone, "methods": ["dora"]}).arms()
    assert arm.learning_rate == 3e-4
    with pytest.raises(InputError, match=r"set overrides\.METHOD\.learning_rate"):
        make_study({**FAIR, "trial": alone, "methods": ["lora", "dora"]})
