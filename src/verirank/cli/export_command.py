"""`verirank export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["merged", "adapter", "lora"]),
    required=True,
    help="A plain model, the method's own adapter for peft, or a plain LoRA.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A new folder for the files."
)
def command(run: Path, form: str, out: Path) -> None:
    """Write the trained policy of RUN as a model or adapter to ship, with a model card.

    merged: loads with transformers alone. adapter: loads with peft on the base; PiSSA and MiLoRA
    become a LoRA of twice the rank. lora: a plain lora_A and lora_B of scale 1, for LoRA's kin.
    """
    from verirank.record import Run

    trained = Run.open(run)
    from verirank.export import export_run

    export_run(trained, form, out)  # pyright: ignore[reportArgumentType]
    click.echo(out)
