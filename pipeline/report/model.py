"""The page of the model: the figures, the pictures and the recommendations in a browser. It holds no leads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

import pandas as pd

from features.core.schema import CONVERTED, LOST
from models.decision import kpis
from models.decision.tiers import CUT_OFFS_FROM, WHO_DOES_WHAT
from pipeline.report.headlines import headlines, told_of_ended, told_of_machines
from pipeline.report.rendering import duration_in_words, render
from pipeline.report.results import Results, Sections
from pipeline.wording.todays_list import told_of_the_list
from pipeline.wording.unstated import told_of_the_unstated

PICTURES_OF_THE_MODEL = ("importance",)
PICTURE_NAMES = ("calibration", "gains", "precision_recall", *PICTURES_OF_THE_MODEL)


def model_page(
    parameters: Sections,
    results: Results,
    recommendations: pd.DataFrame,
    pictures: Mapping[str, bytes],
) -> str:
    """Put all figures and PNG ``pictures`` into one page that needs no network.

    Of the recommendations it takes tier, maturity and probability; it shows only their counts and sums.
    """
    snapshots = results.snapshots
    opened = recommendations[recommendations["probability"].notna()]
    return render(
        "model.html.jinja",
        results=results,
        horizon=duration_in_words(snapshots["horizon"]),
        headlines=headlines(results),
        machines=told_of_machines(results),
        warnings=data_warnings(parameters, results),
        unlabelled=results.unlabelled(),
        tiers=kpis.by_tier(opened),
        cuts=results.scoring["cut_offs"],
        cuts_from=CUT_OFFS_FROM[results.scoring["cut_offs_from"]],
        ended=told_of_ended(parameters, results),
        today=told_of_the_list(results.scoring, parameters.words.language),
        unstated=told_of_the_unstated(results.scoring, parameters.words.language, beside_cut_offs=True),
        stages=results.scoring["stages"],
        actions=WHO_DOES_WHAT,
        maturities=parameters.decision.maturity.words,
        crossed=kpis.by_tier_and_maturity(opened),
        distribution=kpis.by_probability(opened),
        funnel=snapshots["funnel"],
        ends={"converted": CONVERTED, "lost": LOST, "still open": "open"},
        origins=results.origins(),
        pictures={name: b64encode(content).decode() for name, content in pictures.items()},
    )


def data_warnings(parameters: Sections, results: Results) -> list[str]:
    """List what is odd in the data but stopped no stage, and which probabilities say less than they seem to."""
    return [*results.warnings(), *_doubts(parameters, results)]


def _doubts(parameters: Sections, results: Results) -> list[str]:
    """Say which of the probabilities say less than they seem to."""
    scoring, doubts = results.scoring, []
    if told := results.ages_unseen(parameters):
        doubts.append(told)
    if scoring["older_than_outcomes"]:
        doubts.append(
            f"{scoring['older_than_outcomes']:,} open leads came before conversions were recorded: some of them may be "
            "customers already, unseen, and the model has learned from them as from the others"
        )
    if scoring["ended_unknown"]:
        doubts.append(
            f"{scoring['ended_unknown']:,} of the leads that were scored had converted or were lost before, "
            "which nobody knew yet"
        )
    return doubts
