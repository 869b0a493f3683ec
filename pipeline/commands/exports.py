"""The commands that write files for others. What they do lies in ``pipeline.exports``, and is loaded when called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from features.core.schema import CHANNELS, MATURITIES, OPEN_TIERS, Channel
from features.core.time import parse_duration
from pipeline.commands.console import reporting, tell
from pipeline.core.project import HERE, Project, written_whole
from pipeline.core.spreadsheets import write_csv

_PANEL = "Files for others"
_PRIVATE = Path("reports/private")

export = typer.Typer(
    help="Write files that other systems take: conversions for advertising, audiences for nurturing. Only who agreed "
    "is in them.",
    no_args_is_help=True,
)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(export, name="export", rich_help_panel=_PANEL)


_To = typer.Option(metavar="FILE", dir_okay=False, help="Where the file goes; one that is there is replaced.")


@export.command(
    help="Write the conversions with their value, by click id, for an advertising platform. Of leads alone that agree "
    "to advertising now (ingest.consents); exports.click_id names the column of the click id."
    "\n\ndocs/exports.md says what each column is.",
    epilog="Examples: leadcast export conversions | leadcast export conversions --since 2026-06-01 --to ads.csv | "
    "leadcast export conversions --expected",
)
def conversions(
    to: Annotated[Path, _To] = _PRIVATE / "conversions.csv",
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="DATE", help="From which day on, of the company's.", show_default=False
        ),
    ] = None,
    *,
    expected: Annotated[
        bool,
        typer.Option("--expected", help="Also open leads, with their probability times what a conversion is worth."),
    ] = False,
) -> None:
    """Write conversions."""
    with reporting("export"):
        project = _project()
        from pipeline.exports.conversions import Conversion, find_conversions  # noqa: PLC0415 - heavy
        from pipeline.kpi.history import newest_scores  # noqa: PLC0415 - heavy

        day: date | None = since.date() if since else None
        scores = newest_scores(project) if expected else None
        found = find_conversions(project, datetime.now(UTC).replace(tzinfo=None), day, scores)
        _write(to, Conversion._fields, found.rows)
        _tell(found.told, found.left_out, len(found.rows), to)


@export.command(
    help="Write the ids of open leads that may be written to, or shown something: by tier, maturity and what they "
    "looked at. Who objected, is closed, a customer, or in work by sales is left out, and whose channel is closed.",
    epilog="Examples: leadcast export audience --maturity warm --channel mail --content webinar | "
    "leadcast export audience --tier MQL --tier recycled --channel mail --within 14d --to audience.csv",
)
def audience(
    channel: Annotated[str, typer.Option(help="mail, telephone or advertising: what must be open.")],
    tier: Annotated[
        list[str] | None, typer.Option(help="Of which tiers, as in MQL; may be repeated.", show_default=False)
    ] = None,
    maturity: Annotated[
        list[str] | None, typer.Option(help="cold, warm or hot; may be repeated.", show_default=False)
    ] = None,
    content: Annotated[
        list[str] | None,
        typer.Option(help="Who did something about this content; of several, about any.", show_default=False),
    ] = None,
    within: Annotated[str, typer.Option(help="How long before the scores they did, as in 30d.")] = "30d",
    to: Annotated[Path, _To] = _PRIVATE / "audience.csv",
) -> None:
    """Write an audience."""
    for given, known, option in (
        ([channel], CHANNELS, "--channel"),
        (tier or (), OPEN_TIERS, "--tier"),
        (maturity or (), MATURITIES, "--maturity"),
    ):
        for text in given:
            if text not in known:
                raise typer.BadParameter(f"{text!r} is none of {', '.join(known)}", param_hint=option)
    try:
        before = parse_duration(within)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--within") from None
    way: Channel = next(one for one in get_args(Channel) if one == channel)
    with reporting("export"):
        project = _project()
        from pipeline.exports.audience import Wanted, find_audience  # noqa: PLC0415 - heavy
        from pipeline.kpi.history import newest_scores  # noqa: PLC0415 - heavy

        wanted = Wanted(way, tuple(tier or ()), tuple(maturity or ()), tuple(content or ()), before)
        found = find_audience(project, newest_scores(project), wanted, datetime.now(UTC).replace(tzinfo=None))
        _write(to, ("lead_id",), [(lead_id,) for lead_id in found.lead_ids])
        _tell(found.told, found.left_out, len(found.lead_ids), to)


def _project() -> Project[Any]:
    from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

    return Project(HERE.root, load_parameters(HERE.root / "params.yaml"))


def _write(to: Path, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with written_whole(to) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        write_csv(stream, headers, rows)


def _tell(told: Sequence[str], left_out: Mapping[str, int], rows: int, to: Path) -> None:
    """Say how many leads are in the file and how many are not, and name none."""
    for line in told:
        tell("export", line)
    for reason, number in sorted(left_out.items(), key=lambda one: (-one[1], one[0])):
        tell("export", f"left out: {number:,} {reason}")
    tell("export", f"wrote {rows:,} rows to {to}")
