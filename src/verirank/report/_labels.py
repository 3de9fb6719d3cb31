"""Labels beside crowded points, moved up or down until none covers another."""

from __future__ import annotations

from dataclasses import dataclass

GLYPH = 7.0
HEIGHT = 15.0
GAP = 16.0
POINT = 5.0
_ROUNDS = 60
_LAST_ROUNDS = 100


@dataclass
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
    points: list[tuple[str, float, float]], width: float, height: float
) -> list[Label]:
    """Place a label right of each point, or left of it where the frame ends, without overlaps.

    Args:
        points: text, x and y of each point, in pixels from the top left of the frame.
        width: of the frame.
        height: of the frame.

    Returns:
        The labels in the order of the points.
    """
    labels = []
    for text, x, y in points:
        to_the_right = x + GAP + GLYPH * len(text) <= width
        labels.append(Label(text, x + GAP if to_the_right else x - GAP, y, to_the_right))
    for _ in range(_ROUNDS):
        _push_off_points(labels, points, height)
        _push_apart(labels, height)
    # A label over a point is easier to read than a label over a label.
    for _ in range(_LAST_ROUNDS):
        if not _push_apart(labels, height):
            break
    return labels


def _push_apart(labels: list[Label], height: float) -> bool:
    moved = False
    ordered = sorted(labels, key=lambda label: label.y)
    for index, upper in enumerate(ordered):
        for lower in ordered[index + 1 :]:
            overlap = HEIGHT - abs(lower.y - upper.y)
            if overlap > 0.01 and _overlap_horizontally(upper, lower):
                upper.y -= overlap / 2
                lower.y += overlap / 2
                moved = True
    _keep_inside(labels, height)
    return moved


def _push_off_points(
    labels: list[Label], points: list[tuple[str, float, float]], height: float
) -> None:
    for label in labels:
        left, right = label.span
        for _, x, y in points:
            overlap = POINT + HEIGHT / 2 - abs(label.y - y)
            if overlap > 0.01 and left - POINT < x < right + POINT:
                label.y += overlap / 2 if label.y >= y else -overlap / 2
    _keep_inside(labels, height)


def _keep_inside(labels: list[Label], height: float) -> None:
    for label in labels:
        label.y = min(max(label.y, HEIGHT / 2), height - HEIGHT / 2)


def _overlap_horizontally(one: Label, other: Label) -> bool:
    (left, right), (other_left, other_right) = one.span, other.span
    return left < other_right and other_left < right
