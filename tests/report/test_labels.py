"""Labels beside the points of a scatter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verirank.report._labels import HEIGHT, place_labels

WIDTH, FRAME = 800.0, 400.0
POINT = st.tuples(st.just("lora-plus"), st.floats(0, WIDTH), st.floats(0, FRAME))


@given(st.lists(POINT, min_size=1, max_size=8))
def test_no_two_labels_of_a_sparse_scatter_overlap(points: list[tuple[str, float, float]]) -> None:
    labels = place_labels(points, WIDTH, FRAME)
    for place, one in enumerate(labels):
        for other in labels[place + 1 :]:
            apart = abs(one.y - other.y) >= HEIGHT - 1
            beside = one.span[1] <= other.span[0] or other.span[1] <= one.span[0]
            assert apart or beside


@given(st.lists(POINT, min_size=1, max_size=8))
def test_labels_stay_inside_the_frame(points: list[tuple[str, float, float]]) -> None:
    for label in place_labels(points, WIDTH, FRAME):
        left, right = label.span
        assert 0 <= left < right <= WIDTH
        assert 0 <= label.y <= FRAME


def test_a_lone_label_stands_right_of_its_point_at_its_height() -> None:
    (label,) = place_labels([("dora", 100, 200)], WIDTH, FRAME)
    assert label.to_the_right and label.x > 100 and label.y == 200
