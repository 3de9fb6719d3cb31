"""Reading back what each tracker wrote of a run: its numbers, as the tracker stores them."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

Told = dict[int, dict[str, float]]
"""Numbers by step and name."""


def of_tensorboard(folder: Path) -> Told:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    told: Told = defaultdict(dict)
    for name in events.Tags()["scalars"]:
        for event in events.Scalars(name):
            told[event.step][name] = event.value
    return told


def of_wandb(folder: Path) -> Told:
    told: Told = defaultdict(dict)
    for file in sorted(folder.glob("offline-run-*/*.wandb")):
        for record in wandb_records(file):
            row = {i.key or "/".join(i.nested_key): i.value_json for i in record.history.item}
            if row:
                told[json.loads(row["_step"])] |= {
                    k: json.loads(v) for k, v in row.items() if not k.startswith("_")
                }
    return told


def wandb_records(file: Path) -> Iterator:
    """Yield the records of an offline run: LevelDB's log format behind a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        room = 2**15 - place % 2**15
        if room < 7:
            place += room
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in {1, 4}:  # whole, or its last part
            yield Record.FromString(whole)
            whole = b""


def of_trackio(database: Path) -> Told:
    told: Told = defaultdict(dict)
    with sqlite3.connect(database) as opened:
        for step, row in opened.execute("select step, metrics from metrics order by id"):
            told[step] |= json.loads(row)
    return told


def of_mlflow(uri: str, run: str) -> Told:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    told: Told = defaultdict(dict)
    for name in client.get_run(run).data.metrics:
        for metric in client.get_metric_history(run, name):
            told[metric.step][name] = metric.value
    return told
