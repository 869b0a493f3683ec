"""The page of the commands, from the command line itself and from the failures that it can end in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
import yaml

from docs.build.markdown import anchor, link, page, paragraphs, table
from docs.build.words import as_written, in_words
from features.core.errors import LeadcastError
from pipeline.commands.app import STAGES, app

_INTRODUCTION = """\
# Commands

Every command is called in the project's folder, with the environment active (`. .venv/bin/activate`); most read
[params.yaml](parameters.md). It tells on the standard error stream what it does, and ends with an
[exit code](#exit-codes) that a scheduler can act on. `leadcast COMMAND --help` says the same as this page.
"""
_ALWAYS = (
    (0, "Done.", "Nothing."),
    (2, "The command was called wrongly: no such command or option, or no such value.", "Read what its `--help` says."),
    (130, "You stopped it (Ctrl-C).", "Run it again: nothing half-written is left."),
)
"""The exit codes that no failure of ours stands for: code, when, what to do."""
_STAGES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text(encoding="utf-8"))


def commands_page() -> str:
    """Give the text of ``docs/commands.md``."""
    commands = list(_commands(typer.main.get_command(app), "leadcast"))
    listed = table(
        ["command", "what it does"],
        [[link(f"`{name}`"), paragraphs(command.help)[0]] for name, command in commands],
    )
    described = [_command(name, command) for name, command in commands]
    source = "pipeline/commands/app.py and features/core/errors.py"
    return page(source, _INTRODUCTION, listed, *described, _exit_codes())


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's classes are its own
    """Walk the commands, the stages first and in their order; those of a group after the group's name."""
    stages = list(STAGES)
    for name, command in sorted(
        group.commands.items(), key=lambda item: stages.index(item[0]) if item[0] in stages else len(stages)
    ):
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _command(name: str, command: Any) -> str:  # noqa: ANN401 - typer's classes are its own
    parameters = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [_usage(parameter) for parameter in parameters if parameter.param_type_name == "argument"]
    options = ["[OPTIONS]"] if any(parameter.param_type_name == "option" for parameter in parameters) else []
    parts = [
        f"## `{name}`",
        *paragraphs(command.help),
        f"```\n{' '.join([name, *options, *arguments])}\n```",
    ]
    if parameters:
        parts.append(table(["option", "value", "default", "meaning"], [_option(parameter) for parameter in parameters]))
    examples = [line.strip() for line in re.sub(r"^Examples?:", "", command.epilog or "").split("|")]
    if examples not in ([""], [name]):
        parts += ["For example:", "```\n" + "\n".join(examples) + "\n```"]
    stage = _STAGES["stages"].get(command.name)
    if stage:
        parts.append(_settings_and_data(stage))
    return "\n\n".join(parts)


def _settings_and_data(stage: dict[str, Any]) -> str:
    """Say what a stage reads and writes, by its definition in ``dvc.yaml``."""
    settings = [f"[{name}](parameters.md#{anchor(name)})" for name in stage["params"] if name != "data_root"]
    read = [f"`{dep}`" for dep in stage["deps"] if dep.startswith(("data/", "reports/", "$"))]
    outputs = [output for key in ("outs", "metrics", "plots") for output in stage.get(key, ())]
    written = [f"`{output if isinstance(output, str) else next(iter(output))}`" for output in outputs]
    names = [("Settings", settings), ("Reads", read), ("Writes", written)]
    lines = [f"- {name}: {', '.join(parts)}." for name, parts in names if parts]
    return "As a stage of the pipeline:\n\n" + "\n".join(lines).replace("`${data_root}`", "the files below `data_root`")


def _usage(argument: Any) -> str:  # noqa: ANN401 - typer's classes are its own
    name = argument.name.upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")


def _option(parameter: Any) -> list[str]:  # noqa: ANN401 - typer's classes are its own
    if parameter.param_type_name == "argument":
        names = f"`{_usage(parameter)}`"
    else:
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if getattr(parameter, "is_flag", False):
        value, default = "", "not given" if not parameter.default else "given"
    else:
        value = in_words(parameter.type_descriptor.annotation, lambda model: model.__name__)
        bounds = [(getattr(parameter, "min", None), "from"), (getattr(parameter, "max", None), "to")]
        value = " ".join([value, *(f"{word} {bound}" for bound, word in bounds if bound is not None)])
        default = "required" if parameter.required else "not given"
        if parameter.default is not None and not parameter.required:
            default = as_written(parameter.default)
    return [names, value, default, " ".join((parameter.help or "").split())]


def _exit_codes() -> str:
    rows = list(_ALWAYS)
    failures: list[type[LeadcastError]] = [LeadcastError, *LeadcastError.__subclasses__()]
    for failure in failures:
        when, *what = paragraphs(failure.__doc__)
        if failure is LeadcastError:
            when, what = "Anything else went wrong.", ["Read the message; if it is a trace, it is a bug: report it."]
        rows.append((failure.exit_code, when, " ".join(what)))
    described = [[str(code), when, what] for code, when, what in sorted(rows)]
    return "## Exit codes\n\n" + table(["code", "what it means", "what to do"], described)
