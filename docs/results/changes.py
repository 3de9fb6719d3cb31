"""What became of earlier verdicts: the old ones in earlier/STUDY.json beside those of today."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tables import points, table

EARLIER = Path(__file__).parent / "earlier"
_SAME = 0.002
"""Effects that differ by less are of the same trials, or as good as."""


def verdict_changes(study: str, claims: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of a study's verdicts, old beside new, and why each changed."""
    old = _earlier(study, "claims", "claim", "part")
    if not old:
        return
    rows = [
        [
            one["claim"],
            one["part"],
            _said(was := old.get((one["claim"], one["part"]))),
            _said(one),
            "" if was is None else _why(was, one, "outcome"),
        ]
        for one in claims
    ]
    kept = sum(row[4] == "same verdict" for row in rows)
    yield (
        f"Verdicts by the earlier rules beside these; {kept} of {len(rows)} are the same. Since "
        "then the rules count the search, share the noise of seeds over arms, test each pair once "
        "for the whole page, and rank other seeds than that on which default rates were found."
    )
    yield table("claim | here | earlier | now | why", rows)


def effect_changes(study: str, effects: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of defects' effects whose verdict changed, old beside new."""
    old = _earlier(study, "effects", "defect", "label")
    if not old:
        return
    pairs = [(old.get((one["defect"], one["label"])), one) for one in effects]
    rows = [
        [one["defect"], one["label"], _effect(was), _effect(one), _why(was, one, "resolved")]
        for was, one in pairs
        if was is not None and _resolved(was) != _resolved(one)
    ]
    both = sum(was is not None for was, _ in pairs)
    yield (
        f"Effects by the earlier rules beside these: {both - len(rows)} of {both} have the same "
        f"verdict at 5 %{'; the others:' if rows else '.'}"
    )
    if rows:
        yield table("defect | method | earlier | now | why", rows)


def _earlier(study: str, kind: str, *keys: str) -> dict[tuple[str, ...], Mapping[str, Any]]:
    file = EARLIER / f"{study}.json"
    if not file.is_file():
        return {}
    found = json.loads(file.read_text("utf-8"))[kind]
    return {tuple(one[key] for key in keys): one for one in found}


def _said(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "not asked"
    effect = "" if one["effect"] is None else f", {points(one['effect'], one['low'], one['high'])}"
    return f"{one['outcome'].replace('_', ' ')}{effect}"


def _effect(one: Mapping[str, Any]) -> str:
    p = f"Holm p {one['p_holm']:.2g}"
    return f"{points(one['difference'], one['low'], one['high'])}, {p}"


def _resolved(one: Mapping[str, Any]) -> bool:
    return one["p_holm"] <= 0.05


def _why(was: Mapping[str, Any], now: Mapping[str, Any], key: str) -> str:
    """Return why a verdict changed, by what differs between the two tests."""
    same = _resolved(was) == _resolved(now) if key == "resolved" else was[key] == now[key]
    if same:
        return "same verdict"
    effect = "difference" if "difference" in now else "effect"
    if was[effect] is None or now[effect] is None:
        return "one of the two had no test"
    moved = now[effect] - was[effect]
    if abs(moved) > _SAME:
        return f"other trials: the effect is {100 * moved:+.1f} points away from the earlier one"
    wider = (now["high"] - now["low"]) / max(was["high"] - was["low"], 1e-9)
    return f"the same effect, an interval {wider:.1f} times as wide, another family of tests"
