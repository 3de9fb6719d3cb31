"""Every command explains itself."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from verirank.cli import COMMANDS, main, root


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_and_leaves_with_0(name: str) -> None:
    done = CliRunner().invoke(root, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert f"{name} " in done.output.splitlines()[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert not [option.name for option in options if not option.help]


def options_of(command: click.Command) -> list[click.Option]:
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    its = [p for p in command.params if isinstance(p, click.Option)]
    return its + [option for one in inner for option in options_of(one)]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_of_a_command_takes_a_number_that_is_not_finite(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    fractional = [option for option in options_of(command) if option.type.name.startswith("float")]
    for option in fractional:
        for number in ("nan", "inf", "-inf", "1e999"):
            with pytest.raises(click.BadParameter):
                option.type.convert(number, option, None)


def test_the_root_lists_every_command() -> None:
    done = CliRunner().invoke(root, ["--help"])
    assert done.exit_code == 0
    assert not [name for name in COMMANDS if f"  {name} " not in done.output]


def test_an_unknown_command_leaves_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["verirank", "trian"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "no command 'trian'; did you mean 'train'?" in capsys.readouterr().err
