"""How each method answers to its learning rate: the searches of fair studies."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import altair as alt

from verirank.report._palette import Palette


def read_searches(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the chart's data from every study's search.json: a row a trial and rung."""
    rows = []
    for folder in folders:
        path = Path(folder) / "search.json"
        if not path.is_file():
            continue
        search = json.loads(path.read_text("utf-8"))
        for arm in search["arms"]:
            for trial in arm["trials"]:
                for steps, score in trial["scores"].items():
                    rows.append(
                        {
                            "method": arm["method"],
                            "learning_rate": trial["learning_rate"],
                            "steps": int(steps),
                            "score": round(100 * score, 4),
                            "winner": trial["learning_rate"] == arm["winner"],
                            "bench": search["bench"],
                        }
                    )
    return rows


def rate_chart(rows: list[dict[str, Any]], palette: Palette) -> alt.FacetChart:
    """Draw a panel a method: score on the selection bench by learning rate, a line a rung."""
    steps = sorted({row["steps"] for row in rows})
    base = alt.Chart().encode(
        x=alt.X("learning_rate:Q", scale=alt.Scale(type="log"), title="learning rate").axis(
            format="~e", tickCount=3
        ),
        y=alt.Y("score:Q", title="selection, %", scale=alt.Scale(domain=[0, 100])),
        opacity=alt.Opacity(
            "steps:O", scale=alt.Scale(domain=steps, range=[0.35, 1.0]), title="after steps"
        ),
        detail="steps:O",
        tooltip=["method:N", "learning_rate:Q", "steps:Q", "score:Q"],
    )
    line = base.mark_line(color=palette.behind, point={"color": palette.behind, "size": 25})
    last = max(steps)
    won = base.transform_filter(f"datum.winner && datum.steps == {last}").mark_point(
        color=palette.best, filled=True, size=90
    )
    return (
        alt.layer(line, won, data=alt.Data(values=rows))
        .properties(width=175, height=110)
        .facet(alt.Facet("method:N", title=None), columns=4)
    )
