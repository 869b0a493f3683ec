"""The model card: what a model is for, what it is worth and what may be wrong with it, as reviewers read it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from models.core.model import Model
from models.core.verdicts import Verdict
from pipeline.core.project import Places, read_json
from pipeline.registry.figures import Figures, losses_of_origins

_MOST_ON_CARD, _BY_CHANCE = 10, "calibration_error_by_chance"
_PEOPLE = "\n## Who\n"
_WRAP = re.compile(r"(?<![|\n])\n(?=[^\n|#\- ])")
"""A line break within a paragraph: not before or after a row of a table, an item of a list or a heading."""


def model_card(
    places: Places, model: Model, figures: Figures, breakdown: Mapping[str, Any], verdicts: Sequence[Verdict]
) -> str:
    """Say in Markdown what the model is for, what it learned from, what it is worth and where it ends."""
    training = read_json(places.training)
    manifest = model.manifest
    asked = manifest["question"]
    conversion = " or ".join(f"`{name}`" for name in asked["episodes.conversion"])
    lost = ", ".join(f"`{name}`" for name in asked["episodes.lost"]) or "nothing is stated"
    return _unwrapped(f"""# Will this lead convert within {manifest["horizon"]}?

{_list_verdicts(verdicts)}
## What for

A calibrated probability for every open lead, from what it did and when, for deciding whom to call next. It
converts when {conversion} happens within {manifest["horizon"]} of the moment. Open is a lead from when it is
known, or known again, until it converts or is lost: by {lost}.{_tell_return(asked)} It sees
{len(manifest["columns"])} features, all of them known before the moment of the score.

It must not be used to say why a lead converts, or what a call would change; for leads of a kind that the
log did not hold; for decisions about people other than whom to contact; nor for sums of promises in parts
that are named below as off.

## What it learned from

{training["rows"]:,} snapshots of {training["leads"]:,} leads, of which {training["conversions"]:,}
convert, looked at from {manifest["trained_from"][:10]} to {training["until"][:10]}, with what came of them up to
{manifest["trained_until"][:10]}. The oldest episode was {manifest["oldest_episode_days"]:.0f} days old: of
older leads it guesses. Made of: {training["recipe"]}, calibration: {training["calibration"]}.
{_tell_families(breakdown)}
## What it is worth

{_tell_origins(training, losses_of_origins(places))}

ROC AUC {_figure(figures, "roc_auc")}, lift in the best tenth {_figure(figures, "lift_at_10")}, base rate
{_figure(figures, "base_rate")}, log loss {_figure(figures, "log_loss", ".4f")},
{_tell_calibration(figures)}, calibration slope {_figure(figures, "calibration_slope")}.
{_tell_band(places)}From the newest
origin alone: log loss {_figure(figures, "newest_log_loss", ".4f")}, ROC AUC {_figure(figures, "newest_roc_auc")}.

{_tell_further(model, figures)}
{_tell_rivals(breakdown)}
{_tell_worst(breakdown)}
## When it is stale

When promises are no longer kept, a source ends or new event types come, attributes mean something else, or
what counts as a conversion is changed: then train, compare, and decide anew. Who approved it stands on its version
(`approved_by`) and in `approvals.jsonl`; who made it, on its run. Model {model.version}.
""")


def _unwrapped(text: str) -> str:
    """Give each paragraph as one line: MLflow shows every line break."""
    return _WRAP.sub(" ", text)


def with_people(card: str, owner: str, decided: str) -> str:
    """Give a card with who made the model and what was decided of it, in place of what it said of that before."""
    return f"{card.partition(_PEOPLE)[0]}{_PEOPLE}\nMade by {owner}. {decided}\n"


def _figure(figures: Figures, name: str, style: str = ".3f") -> str:
    parts = figures.get(name, {})
    value, low, high = (parts.get(part) for part in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "unknown"
    return f"{value:{style}} ({low:{style}} to {high:{style}})"


def _tell_calibration(figures: Figures) -> str:
    error, by_chance = figures["calibration_error"]["value"], figures[_BY_CHANCE]["quantile_95"]
    if error is None or by_chance is None:
        return "calibration error unknown"
    return f"calibration error {error:.4f} (in 95 of 100 cases a perfect model shows up to {by_chance:.4f} by chance)"


def _tell_band(places: Places) -> str:
    """Say in Markdown how many groups of promises lie where those of a perfect model do, where that is drawn."""
    path = places.plots / "calibration.csv"
    groups = pd.read_csv(path) if path.exists() else pd.DataFrame()
    if groups.empty:
        return ""
    within = groups["observed"].between(groups["band_low"], groups["band_high"])
    off = "".join(
        f"; promised {one.predicted:.1%}, happened {one.observed:.1%} ({one.band_low:.1%} to {one.band_high:.1%})"
        for one in groups[~within].itertuples()
    )
    return (
        f"Of {len(groups)} groups of snapshots by what was promised, {int(within.sum())} lie in the band that holds\n"
        f"all of a perfect model's in 95 of 100 cases{off}.\n"
    )


def _tell_return(asked: Mapping[str, Any]) -> str:
    """Say what opens a new episode."""
    again = [f"`{name}`" for name in asked["episodes.reopen_on"]]
    customers = asked["episodes.after_conversion"]
    told = f" A lost one is open again by {', '.join(again)}." if again else ""
    if customers:
        told += f" A customer is open again by {', '.join(f'`{name}`' for name in customers['reopen_on'])}."
    return told


def _tell_origins(training: Mapping[str, Any], losses: Mapping[str, float]) -> str:
    if not training["origins"]:
        return (
            "It was not judged on later time: there are fewer than two moments to judge from. Of leads foretold by\n"
            "the others of the same time (95 % intervals over leads):"
        )
    table = "\n".join(
        f"| {one['origin'][:10]} | {one['learned']['rows']:,} | {one['learned']['conversions']:,} | "
        f"{one['foretold']['rows']:,} | {one['foretold']['expected']:,.0f} | {one['foretold']['conversions']:,} | "
        f"{losses.get(one['origin'], float('nan')):.4f} |"
        for one in training["origins"]
    )
    return f"""The same procedure was judged at earlier moments, each time on what came later than all it
had learned from:

| origin | learned from | that convert | foretold | expected to convert | did | log loss |
|---|---:|---:|---:|---:|---:|---:|
{table}

All that was foretold (95 % intervals over leads):"""


def _tell_further(model: Model, figures: Figures) -> str:
    others = " and ".join(step.horizon for step in model.steps)
    further = f"It has probabilities for {others}, too, which never contradict the one above.\n" if others else ""
    parts = [f"horizon_{step.horizon}" for step in model.steps] + ["untouched"]
    return further + "".join(_tell_part(figures, part) for part in parts)


def _tell_rivals(breakdown: Mapping[str, Any]) -> str:
    """Say in Markdown what stands beside the model on the same rows."""
    if not breakdown["rivals"]:
        return ""
    rows = "\n".join(
        f"| {one['name']} | {one['log_loss']:.4f} | {one['roc_auc']:.3f} | {one['gain']:+.4f} ({one['low']:+.4f} to "
        f"{one['high']:+.4f}) |"
        for one in breakdown["rivals"]
    )
    return f"""On the same rows (an interval that holds 0 tells nothing):

| beside it | log loss | ROC AUC | this model's is lower by |
|---|---:|---:|---:|
{rows}
"""


def _tell_worst(breakdown: Mapping[str, Any]) -> str:
    """Say in Markdown in which parts promises are further off than chance explains."""
    if not breakdown["segments"]:
        return ""
    if not breakdown["worst"]:
        return f"Of {len(breakdown['segments'])} parts in none the promises are further off than chance explains.\n"
    rows = "\n".join(
        f"- {one['kind']}, {one['name']}: {one['promised']:,.0f} promised, {one['happened']:,} happened, of "
        f"{one['rows']:,} snapshots of {one['leads']:,} leads"
        for one in breakdown["worst"]
    )
    return f"""Of {len(breakdown["segments"])} parts, in these the promises are further off than chance
explains:

{rows}
"""


def _tell_families(breakdown: Mapping[str, Any]) -> str:
    """Say in Markdown how far the families of features move the logit."""
    if not breakdown["families"]:
        return ""
    rows = "\n".join(f"| {one['family']} | {one['moves']:.3f} |" for one in breakdown["families"][:_MOST_ON_CARD])
    return f"""
How far each family of features moved the logit of those that were foretold last, up or down, in the mean:

| family | moves |
|---|---:|
{rows}
"""


def _tell_part(figures: Figures, part: str) -> str:
    """Say in Markdown how another horizon did, or the leads that none of us had acted on; nothing if it is unknown."""
    error, by_chance = (figures.get(f"{part}_{name}", {}) for name in ("calibration_error", _BY_CHANCE))
    value, chance = error.get("value"), by_chance.get("quantile_95")
    if value is None or chance is None:
        return ""
    what = "leads that none of us had acted on" if part == "untouched" else part.removeprefix("horizon_")
    kept = "calibrated" if value <= chance else "NOT calibrated"
    auc = figures[f"{part}_roc_auc"]["value"]
    return f"- {what}: ROC AUC {auc:.3f}, {kept} (error {value:.4f}, by chance up to {chance:.4f})\n"


def _list_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Say in Markdown what may be wrong, what stands first."""
    if not verdicts:
        return ""
    lines = []
    for verdict in verdicts[:_MOST_ON_CARD]:
        lines.append(f"- **{verdict.weight}: {verdict.title}** (`{verdict.name}`). {verdict.evidence}.")
        lines.append(f"  Acquitted: {verdict.acquitted}" if verdict.acquitted else f"  What to do: {verdict.remedy}.")
    if len(verdicts) > _MOST_ON_CARD:
        lines.append(f"- {len(verdicts) - _MOST_ON_CARD} more are in verdicts.json.")
    return "## Verdicts\n\n" + "\n".join(lines) + "\n"
