"""The summary: what came in, what the model is worth, and what it recommends, as a page of text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table

from models.core.verdicts import Verdict
from models.decision.maturity import HOTTEST_FIRST
from models.decision.tiers import CUT_OFFS_FROM, WHO_DOES_WHAT
from pipeline.core.project import HERE
from pipeline.core.verdicts import WIDTH, tell_verdicts
from pipeline.report.headlines import told_of_ended, told_of_machines
from pipeline.report.rendering import moment
from pipeline.report.results import Results, Sections
from pipeline.wording.todays_list import told_of_the_list
from pipeline.wording.unstated import told_of_the_unstated


def summary(parameters: Sections, results: Results) -> str:
    """Put the figures of all stages into a page of text, 96 columns wide; it holds no lead ids."""
    # Names come from the log and the settings: what looks like markup in them is none.
    console = Console(file=StringIO(), width=WIDTH, color_system=None, legacy_windows=False, markup=False, emoji=False)
    _print_verdicts(console, results.verdicts)
    _print_log(console, results)
    _print_model(console, results)
    _print_recommendations(console, parameters, results)
    console.print("Where to look next")
    for place, what in (
        (HERE.page, "what each channel costs and brings; leadcast kpi prints it"),
        (HERE.model_page, "all of this in a browser: funnel, figures, pictures"),
        (HERE.leads_page, "the recommended leads with their reasons; not to be shared"),
        (HERE.lead_lists, "today's list of each who calls, as a page and a workbook"),
        (HERE.cut_offs_page, "choose the cut-offs by what becomes of the leads"),
        (HERE.recommendations_csv, "every open lead, best first, then those that ended of late"),
        (HERE.pictures, "calibration, gains, precision and recall, importance"),
        (HERE.data_docs / "index.html", "what Great Expectations found"),
        ("leadcast compare-actors", f"how much is your own doing: {HERE.comparison_text}"),
        (HERE.quarantine, "the rows that were set aside: file, line, reason"),
        ("make ui", "MLflow: the runs, the model card, the registry"),
    ):
        console.print(f"  {place!s:<32}{what}")
    output = console.file
    assert isinstance(output, StringIO)  # noqa: S101 - made above
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"


def _print_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        return
    standing = sum(verdict.stands for verdict in verdicts)
    console.print(
        f"Verdicts: {standing} {'stands' if standing == 1 else 'stand'}, nobody should act on this"
        if standing
        else "Verdicts: none stands in the way"
    )
    for line in tell_verdicts(verdicts):
        console.print(line)
    console.print()


def _table(*headers: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for position, header in enumerate(headers):
        table.add_column(header, justify="left" if position == 0 else "right")
    return table


def _print_log(console: Console, results: Results) -> None:
    console.print("The log")
    table = _table("  table", "rows in", "used", "set aside", "observed until", "state")
    for read in results.tables():
        counts = (read.rows, read.used, read.set_aside)
        table.add_row(f"  {read.name}", *(f"{count:,}" for count in counts), read.until or "", read.state)
    console.print(table)
    for name, state, evidence in results.rhythms():
        told = f"{name} is {state}: {evidence}"
        console.print(textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="    "))
    for line in told_of_machines(results):
        console.print(textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    "))
    aside = results.set_aside()
    if aside:
        table = _table("  set aside because", "rows")
        for reason, rows, _ in aside:
            table.add_row(f"  {reason}", f"{rows:,}")
        console.print(table)
    warnings = results.warnings()
    told = f"{len(warnings)} warning{'' if len(warnings) == 1 else 's'}"
    console.print(f"  {len(results.validated['expectations'])} expectations, {told}")
    for warning in warnings:
        console.print(textwrap.fill(warning, WIDTH, initial_indent="    ", subsequent_indent="      "))
    console.print()


def _print_model(console: Console, results: Results) -> None:
    snapshots = results.snapshots
    console.print(f"The model: does a lead convert within {snapshots['horizon']}?")
    training = results.training
    table = _table("  from", "learned from", "that convert", "foretold", "expected", "converted")
    for one in results.origins():
        counts = (one.learned, one.learned_conversions, one.foretold, round(one.expected), one.conversions)
        table.add_row(f"  {one.moment}", *(f"{count:,}" for count in counts))
    ships = f"  today, {training['until'][:10]}"
    table.add_row(ships, f"{training['rows']:,}", f"{training['conversions']:,}", "", "", "")
    console.print(table)
    for told in (
        *results.unlabelled(),
        f"Made of: {results.recipe()}.",
    ):
        console.print(textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="  "))
    console.print()
    if not results.is_measured:
        console.print("  not judged: there is no origin, or too few conversions after it")
    elif not results.is_judged:
        told = (
            "not judged on later time: there are fewer than two origins. These are figures of leads that were foretold "
        )
        told += "by the others of the same time; of a later time they may be worse."
        console.print(textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="  "))
    if unbeaten := results.unbeaten():
        console.print(textwrap.fill(unbeaten, WIDTH, initial_indent="  ", subsequent_indent="  "))
        console.print()
    table = _table(f"  of all {'foretold' if results.is_judged else 'left out'}", "value", "95 % interval")
    for figure in results.figures():
        table.add_row(f"  {figure.label}", figure.value, figure.interval)
    console.print(table)
    chance = results.metrics["calibration_error_by_chance"]["quantile_95"]
    if chance is not None:
        console.print(
            f"  by chance, a perfect model shows a calibration error of up to {chance:.4f} in 95 of 100 cases"
        )
    console.print()
    if results.is_measured:
        _print_breakdown(console, results)


def _print_breakdown(console: Console, results: Results) -> None:
    if newest := results.newest():
        table = _table("  from the newest origin alone", "value", "95 % interval")
        for figure in newest:
            table.add_row(f"  {figure.label}", figure.value, figure.interval)
        console.print(table)
        console.print()
    if results.tells_untouched:
        untouched = results.untouched()
        table = _table("  of leads that none of us had acted on", *(("value", "95 % interval") if untouched else ()))
        for figure in untouched:
            table.add_row(f"  {figure.label}", figure.value, figure.interval)
        console.print(table)
        told = results.untouched_rest_on()
        console.print(textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="  "))
        console.print()
    table = _table("  beside it, on the same rows", "log loss", "ROC AUC", "ours is lower by", "95 % interval")
    rivals = results.rivals()
    for rival in rivals:
        table.add_row(f"  {rival.name}", rival.log_loss, rival.roc_auc, rival.gain, rival.interval)
    if rivals:
        console.print(table)
    parts = len(results.breakdown["segments"])
    if worst := results.worst():
        console.print(f"  Of {parts} parts, in these the promises are further off than chance explains:")
        for one in worst:
            console.print(textwrap.fill(one, WIDTH, initial_indent="    ", subsequent_indent="      "))
    else:
        console.print(f"  In none of {parts} parts are the promises further off than chance explains.")
    console.print()
    _print_horizons(console, results)


def _print_horizons(console: Console, results: Results) -> None:
    horizons = results.horizons()
    if horizons:
        table = _table(
            "  within", "expected", "converted", "log loss", "95 % interval", "base rate's", "ROC AUC", "95 % interval"
        )
        for one in horizons:
            losses = (one.log_loss.value, one.log_loss.interval, one.log_loss_of_base_rate)
            counts = (f"{one.promised:,.0f}", f"{one.happened:,}")
            table.add_row(f"  {one.name}", *counts, *losses, one.roc_auc.value, one.roc_auc.interval)
        console.print(table)
    for one in horizons:
        console.print(
            f"  {one.name}: {one.rows:,} snapshots of {one.leads:,} leads, calibration error {one.calibration_error}, "
            f"by chance up to {one.by_chance}"
        )
    told = results.told_of_horizons()
    for line in told:
        console.print(textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    "))
    if horizons or told:
        console.print()


def _print_recommendations(console: Console, parameters: Sections, results: Results) -> None:
    scoring = results.scoring
    console.print(f"The recommendations, as of {moment(scoring['as_of'], parameters.decision.time_zone)}")
    table = _table("  tier", "open leads", "from probability", "what to do")
    for tier, what in WHO_DOES_WHAT.items():
        leads, cut = scoring["tiers"].get(tier, 0), scoring["cut_offs"].get(tier)
        if leads or cut is not None:
            table.add_row(f"  {tier}", f"{leads:,}", "" if cut is None else f"{cut:.1%}", what)
    console.print(table)
    if ended := told_of_ended(parameters, results):
        console.print(f"  {ended}")
    console.print(f"  cut-offs: {CUT_OFFS_FROM[scoring['cut_offs_from']]}")
    language = parameters.words.language
    unstated = told_of_the_unstated(results.scoring, language, beside_cut_offs=True)
    for line in (*told_of_the_list(results.scoring, language), *unstated):
        console.print(textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    "))
    maturities = ", ".join(f"{name} {scoring['maturities'].get(name, 0):,}" for name in HOTTEST_FIRST)
    console.print(
        f"  {scoring['leads']:,} leads scored ({maturities}); "
        f"{scoring['expected_conversions']:,.0f} are expected to convert"
    )
    if told := results.outcomes_unknown():
        console.print(textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="  "))
    if told := results.ages_unseen(parameters):
        console.print(textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="  "))
    if scoring["older_than_outcomes"]:
        console.print(
            f"  {scoring['older_than_outcomes']:,} came before conversions were recorded: some may be customers"
        )
    if scoring["ended_unknown"]:
        console.print(f"  {scoring['ended_unknown']:,} had converted or were lost before, which nobody knew yet")
    console.print()
