from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from verirank.tasks import split_of


@given(st.text())
def test_every_key_has_one_split_that_never_changes(key):
    assert split_of(key) == split_of(key)
    assert split_of(key) in {"train", "selection", "test"}


def test_a_tenth_is_for_selection_and_a_tenth_for_test():
    counts = Counter(split_of(str(i)) for i in range(20_000))
    assert abs(counts["test"] - 2000) < 200
    assert abs(counts["selection"] - 2000) < 200


def test_splits_stay_the_same_from_version_to_version():
    assert [split_of(str(i)) for i in range(8)] == [
        "train",
        "test",
        "test",
        "selection",
        "train",
        "train",
        "train",
        "test",
    ]
