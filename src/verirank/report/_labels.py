"""Labels beside crowded points, each at the nearest place where it covers no other label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GLYPH = 7.0
HEIGHT = 15.0
GAP = 16.0
POINT = 5.0
_STEP = 5.0
"""Pixels between the places that are tried for a label."""
_ROUNDS = 3
_ON_A_POINT = 60.0
_CROSSED = 40.0
_LEFT = 12.0
"""What a place costs, in pixels off the point's height: a point under the label, a line to it that
crosses another label's, and the left side."""

Point = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class Label:
    """A label's position in pixels from the top left; `x` is its edge towards its point."""

    text: str
    x: float
    y: float
    to_the_right: bool

    @property
    def span(self) -> tuple[float, float]:
        """The left and right edges."""
        width = GLYPH * len(self.text)
        return (self.x, self.x + width) if self.to_the_right else (self.x - width, self.x)


def place_labels(
    points: Sequence[Point],
    width: float,
    height: float,
    others: Sequence[tuple[float, float]] = (),
) -> list[Label | None]:
    """Place a label beside each point, without overlaps and inside the frame.

    Args:
        points: text, x and y of each point, in pixels from the top left of the frame.
        width: of the frame.
        height: of the frame.
        others: x and y of points without labels, which labels avoid to cover.

    Returns:
        The labels in the order of the points; None where there is no room for one.
    """
    marks = [*((x, y) for _, x, y in points), *others]
    labels: list[Label | None] = [None] * len(points)
    in_turn = sorted(range(len(points)), key=lambda index: points[index][2])
    for _ in range(_ROUNDS):
        for index in in_turn:
            rest = [
                (label, point)
                for place, (label, point) in enumerate(zip(labels, points, strict=True))
                if place != index and label is not None
            ]
            labels[index] = _best(points[index], width, height, rest, marks)
    return labels


def _best(
    point: Point,
    width: float,
    height: float,
    rest: Sequence[tuple[Label, Point]],
    marks: Sequence[tuple[float, float]],
) -> Label | None:
    """Return the cheapest place that no other label needs; None where there is none."""
    best, least = None, float("inf")
    for off, label in _places(point, width, height):
        if off >= least:
            break  # those that follow are further off
        if not any(_overlap(label, other) for other, _ in rest):
            cost = _cost(label, point, rest, marks)
            if cost < least:
                best, least = label, cost
    return best


def _places(point: Point, width: float, height: float) -> Iterator[tuple[float, Label]]:
    """Yield the places of a point's label that lie inside the frame, the nearest first.

    With each comes how far it lies above or below its point.
    """
    text, x, y = point
    edges = [(x + GAP, True), (x - GAP, False)]
    size = GLYPH * len(text)
    inside = [
        (edge, right)
        for edge, right in edges
        if edge + size * right <= width and edge >= size * (not right)
    ]
    low, high = HEIGHT / 2, height - HEIGHT / 2
    middle = min(max(y, low), high)
    for steps in range(int(height / _STEP) + 1):
        for at in dict.fromkeys((middle - _STEP * steps, middle + _STEP * steps)):
            if low <= at <= high:
                yield from ((abs(at - y), Label(text, edge, at, right)) for edge, right in inside)


def _cost(
    label: Label,
    point: Point,
    rest: Sequence[tuple[Label, Point]],
    marks: Sequence[tuple[float, float]],
) -> float:
    left, right = label.span
    covered = sum(
        left - POINT < x < right + POINT and abs(label.y - y) < POINT + HEIGHT / 2 for x, y in marks
    )
    crossed = sum(
        other.to_the_right == label.to_the_right
        and abs(x - point[1]) < 2 * GAP
        and (other.y - label.y) * (y - point[2]) < 0
        for other, (_, x, y) in rest
    )
    off = abs(label.y - point[2])
    return off + _ON_A_POINT * covered + _CROSSED * crossed + _LEFT * (not label.to_the_right)


def _overlap(one: Label, other: Label) -> bool:
    (left, right), (other_left, other_right) = one.span, other.span
    beside = right <= other_left or other_right <= left
    return not beside and abs(one.y - other.y) < HEIGHT
