"""Labels beside the points of a scatter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verirank.report._labels import HEIGHT, place_labels

WIDTH, FRAME = 800.0, 400.0
POINT = st.tuples(st.just("lora-plus"), st.floats(0, WIDTH), st.floats(0, FRAME))


@given(st.lists(POINT, min_size=1, max_size=8))
def test_no_two_labels_of_a_sparse_scatter_overlap(points: list[tuple[str, float, float]]) -> None:
    labels = list(filter(None, place_labels(points, WIDTH, FRAME)))
    assert len(labels) == len(points)
    for place, one in enumerate(labels):
        for other in labels[place + 1 :]:
            apart = abs(one.y - other.y) >= HEIGHT - 1
            beside = one.span[1] <= other.span[0] or other.span[1] <= one.span[0]
            assert apart or beside


@given(st.lists(POINT, min_size=1, max_size=8))
def test_labels_stay_inside_the_frame(points: list[tuple[str, float, float]]) -> None:
    for label in filter(None, place_labels(points, WIDTH, FRAME)):
        left, right = label.span
        assert 0 <= left < right <= WIDTH
        assert 0 <= label.y <= FRAME


def test_a_lone_label_stands_right_of_its_point_at_its_height() -> None:
    (label,) = place_labels([("dora", 100, 200)], WIDTH, FRAME)
    assert label is not None
    assert label.to_the_right and label.x > 100 and label.y == 200


def test_a_label_avoids_a_point_that_has_none() -> None:
    (label,) = place_labels([("dora", 100, 200)], WIDTH, FRAME, [(130, 200)])
    assert label is not None
    left, right = label.span
    assert not left < 130 < right or abs(label.y - 200) > HEIGHT / 2


def test_a_label_without_room_is_left_out() -> None:
    points = [("a name as long as its frame", 10.0, y) for y in (10.0, 12.0, 14.0)]
    labels = place_labels(points, 230, 40)
    assert sum(label is not None for label in labels) == 2
