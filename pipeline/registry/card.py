"""The model card: what a model is for, what it is worth and what may be wrong with it, as reviewers read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.core.model import Model
from models.core.verdicts import Verdict
from pipeline.core.project import Places, read_json

_MOST_ON_CARD, _BY_CHANCE = 10, "calibration_error_by_chance"
Figures = Mapping[str, Mapping[str, float | None]]


def model_card(places: Places, model: Model, figures: Figures, verdicts: Sequence[Verdict]) -> str:
    """Say in Markdown what the model is for, what it learned from, what it is worth and where it ends."""
    training = read_json(places.training)
    manifest = model.manifest

    def figure(name: str) -> str:
        value, low, high = (figures[name][part] for part in ("value", "low", "high"))
        return "unknown" if None in (value, low, high) else f"{value:.3f} ({low:.3f} to {high:.3f})"

    error, by_chance = figures["calibration_error"]["value"], figures["calibration_error_by_chance"]["quantile_95"]
    calibration = (
        "calibration error unknown"
        if error is None or by_chance is None
        else f"calibration error {error:.4f} (in 95 of 100 cases a perfect model shows up to {by_chance:.4f} by chance)"
    )
    table = "\n".join(
        f"| {one['origin'][:10]} | {one['learned']['rows']:,} | {one['learned']['conversions']:,} | "
        f"{one['foretold']['rows']:,} | {one['foretold']['expected']:,.0f} | {one['foretold']['conversions']:,} |"
        for one in training["origins"]
    )
    judged = f"""The same procedure was judged at earlier
moments, each time on what came later than all it had learned from:

| origin | learned from | that convert | foretold | expected to convert | did |
|---|---|---|---|---|---|
{table}

All that was foretold (95 % intervals over leads):"""
    if not training["origins"]:
        judged = """It was not judged on later time: there are
fewer than two moments to judge from. Of leads foretold by the others of the same time (95 % intervals over leads):"""
    others = " and ".join(step.horizon for step in model.steps)
    further = f"It has probabilities for {others}, too, which never contradict the one above.\n" if others else ""
    parts = [f"horizon_{step.horizon}" for step in model.steps] + ["untouched"]
    further += "".join(_tell_part(figures, part) for part in parts) + "\n"
    return f"""# Will this lead convert within {manifest["horizon"]}?

{_list_verdicts(verdicts)}
A calibrated probability for every open lead, from what it did and when. For deciding whom to call next.

It has learned from {training["rows"]:,} snapshots of {training["leads"]:,} leads, of which {training["conversions"]:,}
convert, up to {manifest["trained_until"][:10]}. Made of: {training["recipe"]}. {judged}
ROC AUC {figure("roc_auc")}, lift in the best tenth {figure("lift_at_10")}, base rate {figure("base_rate")},
{calibration}, calibration slope {figure("calibration_slope")}.

{further}
It sees {len(manifest["columns"])} features, all of them known before the moment of the score. It says nothing
of causes, and nothing of leads of a kind that the log did not hold. Model {model.version}.
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
