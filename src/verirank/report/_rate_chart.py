"""How a method's score depends on its learning rate, as the searches of fair studies saw it."""

from __future__ import annotations

from typing import Any

from verirank.report._layout import Layout
from verirank.report._palette import SAID, Palette, described
from verirank.report._vega_lite import Spec, layers, mark, nominal, quantitative


def rate_chart(rows: list[dict[str, Any]], palette: Palette, layout: Layout) -> Spec:
    """Draw a panel a method: score on the selection bench by learning rate, a line a rung."""
    steps = sorted({row["steps"] for row in rows})
    rung = {"field": "steps", "type": "ordinal"}
    opacity = {"domain": steps, "range": [0.35, 1.0]}
    encoding = {
        "x": quantitative(
            "learning_rate",
            scale={"type": "log"},
            title="learning rate",
            axis={"format": "~e", "tickCount": 3},
        ),
        "y": quantitative("score", title="selection, %", scale={"domain": [0, 100]}),
        "opacity": {**rung, "scale": opacity, "title": "after steps"},
        "detail": rung,
        "description": SAID,
    }
    point = {"color": palette.behind, "size": 25}
    line = mark("line", encoding, color=palette.behind, point=point)
    won = mark("point", encoding, color=palette.best, filled=True, size=90)
    won["transform"] = [{"filter": f"datum.winner && datum.steps == {max(steps)}"}]
    return {
        "data": described(rows, _in_words),
        "facet": nominal("method", title=None),
        "columns": 2 if layout.is_narrow else 4,
        "spec": layers(line, won, width=130 if layout.is_narrow else 175, height=110),
    }


def _in_words(row: dict[str, Any]) -> str:
    rate = f"at learning rate {row['learning_rate']:.2g} after {row['steps']} steps"
    return f"{row['score']:.1f} % {rate}" + (", the winner" if row["winner"] else "")
