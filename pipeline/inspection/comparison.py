"""``leadcast compare-actors``: what the procedure is worth by what leads did alone, and by what everybody did."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError, NotEnoughDataError
from features.core.time import parse_duration
from pipeline import features, train
from pipeline.core.project import (
    Progress,
    Project,
    Variant,
    cleared_away,
    fingerprint,
    read_json,
    require,
    write_json,
    written_whole,
)
from pipeline.core.trained import open_trained
from pipeline.core.verdicts import WIDTH
from pipeline.evaluate.acts import touched
from pipeline.evaluate.figures import BY_CHANCE, Figures, count, gain_over, measure_part
from pipeline.matrix.slices import read_catalogue, read_taught
from pipeline.settings.parameters import Parameters

ALONE, ALL = "lead_alone", "all_actors"
VARIANTS: Mapping[str, tuple[str, ...]] = {ALONE: ("lead",), ALL: ("lead", "us", "system")}
"""Whose events count in each, whatever ``features.actors`` says."""
_NAMES = {ALONE: "the lead's acts alone", ALL: "the acts of all"}
_ROWS = ["lead_id", "as_of", "label"]
_FIGURES = (
    ("log loss", "log_loss", "{:.4f}"),
    ("ROC AUC", "roc_auc", "{:.3f}"),
    ("calibration error", "calibration_error", "{:.4f}"),
    ("calibration slope (1 is right)", "calibration_slope", "{:.2f}"),
)
_NOT_JUDGED = (
    "the procedure is not judged on later time: there are fewer than two origins, or train.origins asks for no more; a "
    "longer log or a shorter horizon gives more of them"
)


class _Foretold(NamedTuple):
    """What the counted origins foretold of the same rows in each variant; arrays of shape (n,), times in UTC."""

    leads: NDArray[Any]
    as_of: NDArray[np.datetime64]
    labels: NDArray[np.float64]
    said: Mapping[str, NDArray[np.float64]]
    origins: tuple[str, ...]
    """The moments that they were foretold from."""

    def take(self, rows: NDArray[np.bool_]) -> _Foretold:
        """Give some of the rows, by whether they are wanted."""
        said = {name: probabilities[rows] for name, probabilities in self.said.items()}
        return _Foretold(self.leads[rows], self.as_of[rows], self.labels[rows], said, self.origins)


def compare_actors(project: Project[Parameters], progress: Progress) -> list[str]:
    """Judge both variants at the origins of the model just trained, and write what came of it; gives it as lines.

    Raises InputError where the model, its matrix and its snapshots don't belong together, NotEnoughDataError where
    there are fewer than two origins.
    """
    require(project.interactions, project.leads, project.snapshots, project.matrix)
    model, training = open_trained(project), read_json(project.training)
    if fingerprint(project.matrix) != model.manifest["matrix_sha256"]:
        raise InputError(f"{project.model} has learned from another matrix than {project.matrix}; train it: dvc repro")
    if not training["origins"]:
        raise NotEnoughDataError(_NOT_JUDGED)
    alone, of_others = _judge(project, ALONE, progress)
    by_all, _ = _judge(project, ALL, progress)
    # Origins are chosen by rows and labels: they are the same, and so are the rows.
    foretold = alone._replace(said={**alone.said, **by_all.said})
    progress(f"measuring on {len(foretold.labels):,} snapshots, twice")
    horizon, replicates = parse_duration(model.manifest["horizon"]), project.parameters.evaluate.replicates
    acted = touched(project.interactions, foretold.leads, foretold.as_of)
    untouched = None if acted is None else _measured(foretold.take(~acted), horizon, replicates)
    comparison = {
        "model_version": model.version,
        "horizon": model.manifest["horizon"],
        "until": training["until"],
        "actors_of_settings": list(project.parameters.features.actors),
        "origins": alone.origins,
        "of_others": of_others,
        "all": _measured(foretold, horizon, replicates),
        "untouched": untouched,
    }
    lines = tell_comparison(comparison)
    project.comparison_text.unlink(missing_ok=True)  # it says what stands beside it, or nothing
    write_json(project.comparison, comparison)
    with written_whole(project.comparison_text) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines


def _judge(project: Project[Parameters], name: str, progress: Progress) -> tuple[_Foretold, list[str]]:
    """Compute the matrix of a variant, and judge the procedure on it; gives its features that count others' acts, too.

    These are there only where features/own.py says itself whose acts count.
    """
    settings = project.parameters
    chosen = settings.features.model_copy(update={"actors": VARIANTS[name]})
    variant = Variant(project.root, settings.model_copy(update={"features": chosen}))

    def tell(text: str) -> None:
        progress(f"{_NAMES[name]}: {text}")

    with cleared_away(variant):
        try:
            features.run(variant, tell)
        except NotEnoughDataError as error:
            raise NotEnoughDataError(f"of {_NAMES[name]}: {error}") from None
        if not pq.read_table(variant.matrix, columns=_ROWS).equals(pq.read_table(project.matrix, columns=_ROWS)):
            raise InputError(f"{project.matrix} is of other snapshots than {project.snapshots}; make both: dvc repro")
        rows, as_of = read_taught(variant)
        catalogue, _ = read_catalogue(variant.catalogue)
        told = train.judge(
            settings.train, variant, rows, as_of,
            lambda one: tell(f"foretold {len(one.labels):,} snapshots from {str(one.as_of.min())[:10]} on"),
        )  # fmt: skip
    counted = [one for one in told if one.counts]
    if len(counted) < train.FEWEST_ORIGINS:
        raise NotEnoughDataError(_NOT_JUDGED)
    leads, moments, labels, probabilities = (
        np.concatenate([getattr(one, part) for one in counted])
        for part in ("leads", "as_of", "labels", "probabilities")
    )
    of_others = [
        column
        for column, feature in zip(catalogue.names, catalogue.features, strict=True)
        if not set(feature.filter.actors) <= set(VARIANTS[name])
    ]
    origins = tuple(one.origin.moment.isoformat() for one in counted if one.origin is not None)
    return _Foretold(leads, moments, labels, {name: probabilities}, origins), of_others


def _measured(foretold: _Foretold, horizon: timedelta, replicates: int) -> dict[str, Any]:
    """Measure both variants, and how much lower the log loss is by the acts of all."""
    leads, as_of, labels, said, _ = foretold
    figures = {
        name: measure_part(labels, probabilities, leads, as_of, horizon, replicates=replicates)
        for name, probabilities in said.items()
    }
    return {**figures, "foretold": count(labels, leads), "gain": gain_over(labels, said[ALL], said[ALONE], leads)}


def tell_comparison(comparison: Mapping[str, Any]) -> list[str]:
    """Put a comparison as `compare_actors` writes it into lines; it names no lead."""
    counted = comparison["all"]["foretold"]
    whose = ", ".join(comparison["actors_of_settings"])
    others = comparison["of_others"]
    origins = [moment[:10] for moment in comparison["origins"]]
    judged = f"The same procedure, judged at the same {len(origins)} origins ({origins[0]} to {origins[-1]}) on"
    model = f"model {comparison['model_version'][:12]}, which learned up to {comparison['until'][:10]}"
    told = [
        f"{judged} {_rest_on(counted)} within {comparison['horizon']}.",
        f"Made beside {model}. Of another model, or of newer data, it says nothing.",
        f"params.yaml counts the acts of {whose}.",
    ]
    if others:
        told.append(
            f"Not only the lead's acts, for features/own.py says whose acts these features count: {', '.join(others)}."
        )
    lines = ["How much of it is what we did ourselves", *_filled(told), ""]
    lines += [
        *_table("of all that was foretold", comparison["all"]),
        *_filled([_gain(comparison["all"]["gain"], "what others than the lead did")]),
    ]
    untouched = comparison["untouched"]
    if untouched is None:
        return [*lines, "", *_filled(["The log holds no act of us: no lead was touched."])]
    lines.append("")
    counted = untouched["foretold"]
    if untouched["gain"]["value"] is None:
        few = f"Of leads that none of us had acted on there are {_rest_on(counted)}: too few to tell."
        return [*lines, *_filled([few])]
    told = [f"They rest on {_rest_on(counted)}.", _gain(untouched["gain"], "that we had left it alone")]
    return [*lines, *_table("of leads that none of us had acted on", untouched), *_filled(told)]


def _rest_on(counted: Mapping[str, int]) -> str:
    return f"{counted['rows']:,} snapshots of {counted['leads']:,} leads, {counted['conversions']:,} of which convert"


def _filled(told: list[str]) -> list[str]:
    return [line for text in told for line in textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")]


def _table(title: str, measured: Mapping[str, Any]) -> list[str]:
    columns = [
        [title, *(label for label, _, _ in _FIGURES)],
        *(
            [_NAMES[variant], *(_figure(measured[variant], name, style) for _, name, style in _FIGURES)]
            for variant in VARIANTS
        ),
    ]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return [f"  {label:<{widths[0]}}  {one:>{widths[1]}}  {other:>{widths[2]}}" for label, one, other in rows]


def _figure(figures: Figures, name: str, style: str) -> str:
    """Write a figure with its 95 % interval; of a calibration error, with what a perfect model shows by chance."""
    value, low, high = (figures[name].get(part) for part in ("value", "low", "high"))
    if value is None:
        return "unknown"
    if name == "calibration_error":
        return f"{style.format(value)} (chance: up to {style.format(figures[BY_CHANCE]['quantile_95'])})"
    return style.format(value) + (
        "" if low is None or high is None else f" ({style.format(low)} to {style.format(high)})"
    )


def _gain(gain: Mapping[str, Any], what: str) -> str:
    """Say whether the acts of all make the log loss lower: of the same rows, with its interval over leads."""
    if gain["value"] is None:
        return "There are too few leads of either kind to tell one from the other."
    difference = f"{gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"
    if gain["low"] > 0.0:
        meaning = f"more than chance explains: {what} tells who converts, or whom we believed in"
    elif gain["high"] < 0.0:
        meaning = f"below 0 by more than chance: {what} makes it worse"
    else:
        meaning = f"no more than chance explains: {what} adds nothing that can be seen"
    return f"By the acts of all the log loss is lower by {difference}, {meaning}."
