"""How each method answers to its learning rate: the searches of fair studies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verirank.record import read_json
from verirank.report._palette import SAID, Palette, described
from verirank.report._vega_lite import Spec, layers, mark, nominal, quantitative
from verirank.report._words import listed


@dataclass(frozen=True, slots=True)
class Searches:
    """The searches of fair studies: a row a trial and rung, and what to know about them.

    `edge` names the methods whose best rate lies at the edge of its span, in a sentence, empty
    where there are none.
    """

    rows: list[dict[str, Any]]
    notes: list[str]
    edge: str = ""


def read_searches(folders: Iterable[Path]) -> Searches:
    """Read every study's search.json."""
    rows, notes, edges = [], [], []
    for folder in folders:
        path = Path(folder) / "search.json"
        if path.is_file():
            search = read_json(path)
            rows += [row for arm in search["arms"] for row in _rows(arm)]
            notes += _notes(search)
            edges += [arm["method"] for arm in search["arms"] if arm["at_edge"]]
    edge = _edge(list(dict.fromkeys(edges)))
    return Searches(rows, [*notes, edge] if edge else notes, edge)


def _edge(methods: list[str]) -> str:
    if not methods:
        return ""
    return (
        f"The best learning rate of {listed(methods)} stands at the edge of what was searched: a "
        "better one may lie beyond."
    )


def _rows(arm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for trial in arm["trials"]:
        for steps, score in trial["scores"].items():
            yield {
                "method": arm["method"],
                "learning_rate": trial["learning_rate"],
                "steps": int(steps),
                "score": round(100 * score, 4),
                "winner": trial["learning_rate"] == arm["winner"],
                "pruned_at": trial["pruned_at"],
            }


def _notes(search: dict[str, Any]) -> list[str]:
    arms = search["arms"]
    steps = sorted({arm["steps"] for arm in arms})
    trials = [trial for arm in arms for trial in arm["trials"]]
    pruned = sum(trial["pruned_at"] is not None for trial in trials)
    spent = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    notes = [
        search["rule"],
        f"{pruned} of {len(trials)} trials were pruned; {spent} steps a method.",
    ]
    notes += [f"{arm['method']}: {arm['failure']}." for arm in arms if arm.get("failure")]
    failed = [
        f"{a['method']} at {t['learning_rate']:g}" for a in arms for t in a["trials"] if t["error"]
    ]
    if failed:
        notes.append(f"Failed: {listed(failed)}.")
    return notes


def rate_chart(rows: list[dict[str, Any]], palette: Palette) -> Spec:
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
        "columns": 4,
        "spec": layers(line, won, width=175, height=110),
    }


def _in_words(row: dict[str, Any]) -> str:
    rate = f"at learning rate {row['learning_rate']:.2g} after {row['steps']} steps"
    return f"{row['score']:.1f} % {rate}" + (", the winner" if row["winner"] else "")
