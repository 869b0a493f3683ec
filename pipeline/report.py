"""The stage ``report``: what came in, what the model is worth, and what it recommends, on one screen."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from features.schema import PARTS
from pipeline.artefacts import (
    DATA_DOCS,
    INGEST,
    METRICS,
    PICTURES,
    QUARANTINE,
    RECOMMENDATIONS_CSV,
    SCORING,
    SNAPSHOT_COUNTS,
    SUMMARY,
    TRAINING,
    VALIDATION,
    Progress,
    read_json,
    written_whole,
)
from pipeline.configuration import Parameters

_WIDTH = 96


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Write the summary; it holds no lead ids."""
    progress("writing the summary")
    text = summary(
        parameters,
        **{
            name: read_json(root / path)
            for name, path in {
                "ingested": INGEST,
                "validated": VALIDATION,
                "snapshots": SNAPSHOT_COUNTS,
                "training": TRAINING,
                "metrics": METRICS,
                "scoring": SCORING,
            }.items()
        },
    )
    with written_whole(root / SUMMARY) as temporary:
        temporary.write_text(text, encoding="utf-8")


def summary(
    parameters: Parameters,
    *,
    ingested: dict[str, Any],
    validated: dict[str, Any],
    snapshots: dict[str, Any],
    training: dict[str, Any],
    metrics: dict[str, Any],
    scoring: dict[str, Any],
) -> str:
    """Put the figures of all stages into a page of text, 96 columns wide."""
    console = Console(file=StringIO(), width=_WIDTH, color_system=None, legacy_windows=False)
    _print_log(console, ingested, validated)
    _print_model(console, snapshots, training, metrics)
    _print_recommendations(console, parameters, scoring)
    console.print("[bold]Where to look next[/bold]")
    for place, what in (
        (RECOMMENDATIONS_CSV, "every open lead, best first, with its reasons"),
        (PICTURES, "calibration, gains, precision and recall, importance"),
        (DATA_DOCS / "index.html", "what Great Expectations found"),
        (QUARANTINE, "the rows that were set aside: file, line, reason"),
        ("make ui", "MLflow: the runs, the model card, the registry"),
    ):
        console.print(f"  {place!s:<34}{what}")
    output = console.file
    assert isinstance(output, StringIO)  # noqa: S101 - made above
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"


def _table(*headers: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for position, header in enumerate(headers):
        table.add_column(header, justify="left" if position == 0 else "right")
    return table


def _print_log(console: Console, ingested: dict[str, Any], validated: dict[str, Any]) -> None:
    console.print("[bold]The log[/bold]")
    table = _table("  table", "rows in", "used", "set aside", "observed until")
    reasons: dict[str, int] = {}
    others = {name: ingested[name] for name in ("leads", "identities") if ingested[name]}
    for name, part in [*sorted(ingested["sources"].items()), *others.items()]:
        counts = (part["rows"], part["used"], sum(part["set_aside"].values()))
        until = "" if name in others else (part["observed_until"] or "no event")[:16]
        table.add_row(f"  {name}", *(f"{count:,}" for count in counts), until)
        for reason, count in part["set_aside"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    console.print(table)
    if reasons:
        table = _table("  set aside because", "rows")
        for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
            table.add_row(f"  {reason}", f"{count:,}")
        console.print(table)
    failed = [verdict for verdict in validated["expectations"] if not verdict["success"]]
    console.print(
        f"  {len(validated['expectations'])} expectations, {len(failed)} warnings"
        + "".join(f"\n    {verdict['suite']}: {verdict['meaning']}, found {verdict['count']:,g}" for verdict in failed)
    )
    console.print()


def _print_model(
    console: Console, snapshots: dict[str, Any], training: dict[str, Any], metrics: dict[str, Any]
) -> None:
    console.print(f"[bold]The model[/bold]: does a lead convert within {snapshots['horizon']}?")
    table = _table("  part", "snapshots", "leads", "conversions", "from", "to")
    for name in PARTS:
        if name in snapshots["parts"]:
            part = snapshots["parts"][name]
            table.add_row(
                f"  {name}",
                *(f"{part[figure]:,}" for figure in ("rows", "leads", "conversions")),
                *(part[end][:10] for end in ("from", "to")),
            )
    console.print(table)
    unlabelled = sum(snapshots["unlabelled"].values())
    console.print(f"  {unlabelled:,} snapshots have no label yet; {training['best_iteration']} trees were grown")
    console.print()
    table = _table("  on the test part", "value", "95 % interval")
    shown = (
        ("share that converts", "base_rate", "{:.2%}"),
        ("ROC AUC", "roc_auc", "{:.3f}"),
        ("lift, best 5 % of leads", "lift_at_5", "{:.2f}"),
        ("lift, best 10 % of leads", "lift_at_10", "{:.2f}"),
        ("conversions among the best 10 %", "precision_at_10", "{:.1%}"),
        ("calibration error", "calibration_error", "{:.4f}"),
        ("calibration slope (1 is right)", "calibration_slope", "{:.2f}"),
    )
    for label, name, style in shown:
        value, low, high = (metrics[name][part] for part in ("value", "low", "high"))
        if value is None:
            table.add_row(f"  {label}", "unknown", "")
        else:
            interval = "" if low is None or high is None else f"{style.format(low)} to {style.format(high)}"
            table.add_row(f"  {label}", style.format(value), interval)
    console.print(table)
    chance = metrics["calibration_error_by_chance"]
    console.print(f"  a perfect model would show a calibration error of up to {chance['quantile_95']:.4f} by chance")
    console.print()


def _print_recommendations(console: Console, parameters: Parameters, scoring: dict[str, Any]) -> None:
    console.print(f"[bold]The recommendations[/bold], as of {scoring['as_of'][:16]} UTC")
    tiers = parameters.policy.tiers
    table = _table("  tier", "open leads", "from probability", "what to do")
    for tier, cut, action in (
        ("SQL", f"{tiers.sql:.1%}", "sales calls today"),
        ("MQL", f"{tiers.mql:.1%}", "marketing keeps at it"),
        ("IQL", "0.0%", "wait"),
    ):
        table.add_row(f"  {tier}", f"{scoring['tiers'].get(tier, 0):,}", cut, action)
    console.print(table)
    maturities = ", ".join(f"{name} {scoring['maturities'].get(name, 0):,}" for name in ("hot", "warm", "cold"))
    console.print(
        f"  {scoring['leads']:,} leads scored ({maturities}); "
        f"{scoring['expected_conversions']:,.0f} are expected to convert"
    )
    if scoring["older_than_learned"]:
        console.print(
            f"  {scoring['older_than_learned']:,} are older than any lead the model learned from: theirs is a guess;\n"
            "  a longer log, or a calendar among snapshots.policies, would teach it"
        )
    if scoring["ended_unknown"]:
        console.print(f"  {scoring['ended_unknown']:,} had in truth ended, unknown to us")
    console.print()
