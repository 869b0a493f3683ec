"""What a comparison leaves: files in ``reports``, the leads that move in ``reports/private``, a run in MLflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from pipeline.core.project import Places, Progress, Project, write_json, written_whole
from pipeline.core.spreadsheets import write_csv
from pipeline.evaluate.pictures import draw
from pipeline.registry.comparison_run import Kept, keep_comparison
from pipeline.review.compare import compare_and_list
from pipeline.review.comparison import Comparison
from pipeline.review.page import comparison_page
from pipeline.review.told import FIGURES, Table, gains_of, summary_of, tables_of, title_of
from pipeline.settings.parameters import Parameters

_DRAWN = ["label", "at", "low", "high"]
_MOVED = ("lead_id", "tier_a", "tier_b", "probability_a", "probability_b", "list_a", "list_b")


def place_of(places: Places, comparison: Comparison, ending: str) -> Path:
    """Give the place of a comparison's JSON or page."""
    return places.comparisons / f"{_pair(comparison)}.{ending}"


def place_of_leads(places: Places, comparison: Comparison) -> Path:
    """Give the place of the leads whose tier is another; it is private."""
    return places.private / f"comparison-{_pair(comparison)}.csv"


def files_of(places: Places, comparison: Comparison) -> list[Path]:
    """List the files that a comparison has left."""
    found = [place_of(places, comparison, ending) for ending in ("html", "json")]
    return found + ([] if comparison.churn is None else [place_of_leads(places, comparison)])


def _pair(comparison: Comparison) -> str:
    return f"{comparison.a.model_version[:8]}-{comparison.b.model_version[:8]}"


def compare_and_keep(project: Project[Parameters], a: str, b: str, progress: Progress) -> Comparison:
    """Compare two models and keep what came of it; raises what ``compare_models`` does."""
    comparison, moved = compare_and_list(project, a, b, progress)
    page = comparison_page(comparison)
    content = json.dumps(comparison.to_json(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_json(place_of(project, comparison, "json"), comparison.to_json())
    with written_whole(place_of(project, comparison, "html")) as temporary:
        temporary.write_text(page, encoding="utf-8")
    _write_moved(place_of_leads(project, comparison), moved, is_decided=comparison.churn is not None)
    tables = tables_of(comparison)
    plots = _plots(comparison)
    with TemporaryDirectory() as folder:
        draw(plots, Path(folder))
        kept = Kept(
            name=title_of(comparison),
            versions=(comparison.a.model_version, comparison.b.model_version),
            note="\n".join(f"- {sentence}" for sentence in summary_of(comparison)),
            metrics=_metrics(comparison),
            tables={name: _columns(table) for name, table in tables.items()},
            texts={"comparison.html": page, "comparison.json": content + "\n"},
            pictures={name: Path(folder) / f"{name}.png" for name in plots},
        )
        run_id = keep_comparison(project, project.parameters.evaluate, kept)
    progress(f"the comparison is run {run_id} of {project.parameters.evaluate.experiment}")
    return comparison


def _write_moved(path: Path, moved: pd.DataFrame, *, is_decided: bool) -> None:
    """Write the leads whose tier is another; where nothing was decided, what an earlier comparison has left is gone."""
    path.unlink(missing_ok=True)
    if is_decided:
        with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            write_csv(stream, _MOVED, moved[list(_MOVED)].itertuples(index=False, name=None))


def _metrics(comparison: Comparison) -> dict[str, float]:
    """Give the figures that MLflow can sort by."""
    found = {f"difference/{name}": one.difference for name, one in comparison.figures.items()}
    found |= {"pairs/snapshots": comparison.pairs, "pairs/conversions": comparison.conversions}
    if comparison.churn is not None:
        found["lists/share_of_sql_that_leaves"] = comparison.churn.left_share
    return {name: float(value) for name, value in found.items() if value is not None}


def _columns(table: Table) -> dict[str, Sequence[str]]:
    return {header: [row[header] for row in table.named_rows] for header in table.columns}


def _plots(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """Give what is drawn, by the names of the pictures."""
    curves = {"calibration_of_a": comparison.calibration_of_a, "calibration_of_b": comparison.calibration}
    plots = {name: pd.DataFrame(one.curve) for name, one in curves.items() if one.curve}
    differences = pd.DataFrame(
        [
            (FIGURES[name].label, *places)
            for name, one in comparison.figures.items()
            if (places := gains_of(name, one)) is not None
        ],
        columns=_DRAWN,
    )
    differences.attrs["unit"] = "in multiples of what would matter"
    segments = pd.DataFrame(
        [
            (f"{one.name}: {one.value}", -one.difference_share, -one.high, -one.low)
            for one in comparison.segments
            if one.low is not None and one.high is not None
        ],
        columns=_DRAWN,
    )
    segments.attrs["unit"] = "how much lower the log loss of the second is, as a share"
    return plots | {name: one for name, one in (("differences", differences), ("segments", segments)) if len(one)}
