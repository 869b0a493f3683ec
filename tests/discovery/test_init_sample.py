"""The settings that init proposes for the sample's raw files, beside those that we ship for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from house import ROOT
from proposals import propose, told
from world import LEADS

from pipeline.sample import write_sample
from pipeline.settings.parameters import Parameters

DIFFERENCES = {
    "ingest.sources.crm.time_zone": "times without an offset don't say in which zone the clock hung",
    "ingest.sources.crm.closed_days": "that sales were away at Christmas is no fault, and in no file",
    "ingest.sources.crm.columns.content": "that topics and reasons never stand in one row is for people to know",
    "ingest.sources.outcomes.columns.content": "why a lead was lost is told by no feature, only by pages",
    "ingest.sources.email.known_at": "no column says that the provider delivers its log every six hours",
    "ingest.sources.email.columns.channel": "no column says it: that all of it is mail is known from the file's name",
    "episodes.milestones.case opened by sales": "that a case hands a lead over to sales is this company's word for it",
    "episodes.reopen_on": "a request for a quote raises a hand, too; in this company only a form opens a lead again",
    "episodes.reopen_after": "how long sales leave a lead alone after a loss is a rule of theirs, and in no file",
    "snapshots.policies": "fewer looks, so that the sample runs quickly, and one of them to show looks at an event",
    "train.other_horizons": "which further horizons a company plans by is for people to say",
    "evaluate.model_name": "init names the model after the folder",
    "decision.tiers": "init takes multiples of the odds of those that convert; what a call costs is for people to say",
    "kpi.targets.leads": "what a company wants to reach is for people to say",
    "kpi.targets.cac": "what a company wants to reach is for people to say",
    "decision.time_zone": "where the company is stands in no file",
    "decision.answers.mail": "by which acts leads answer us is for people to say",
    "decision.answers.telephone": "by which acts leads answer us is for people to say",
    "decision.maturity.warm_for": "that leads of this company come often is for people to say",
    "decision.maturity.active_days": "that leads of this company come often is for people to say",
    "decision.work.handed_over": "by what marketing hands leads over, and within which time, is for people to say",
    "words.en.milestones.case opened by sales": "a milestone that init doesn't propose",
    "words.fr.milestones.case opened by sales": "a milestone that init doesn't propose",
    "push": "where scores are sent is in no export",
}
"""Where the proposed settings are others, each with its reason."""


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Propose settings for the sample's raw files, once."""
    root = tmp_path_factory.mktemp("sample")
    write_sample(root / "data/raw", leads=LEADS, seed=1)
    propose(root / "data/raw", root)
    return root


def settings_in(root: Path) -> dict[str, Any]:
    """Read settings with all defaults."""
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    return Parameters.model_validate(content).model_dump(mode="json")


def differing(one: object, other: object, place: str = "") -> Iterator[str]:
    """Name the places at which settings differ; the order of event types has no meaning."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in {**one, **other}:
            yield from differing(one.get(name), other.get(name), f"{place}.{name}".lstrip("."))
    elif ordered(one) != ordered(other):
        yield place


def ordered(value: object) -> object:
    return sorted(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value


def test_the_sample_gets_its_own_settings_but_for_what_no_file_says(proposed: Path) -> None:
    assert set(differing(settings_in(proposed), settings_in(ROOT))) == set(DIFFERENCES)


def test_init_says_what_the_tables_beside_the_log_are(proposed: Path) -> None:
    said, settings = told(proposed), (proposed / "params.yaml").read_text(encoding="utf-8")
    assert "consents is not used" not in said
    assert "rows for ingest.consents" in said
    assert "leads are in a territory that owners names; who is in none is called by nobody" in settings
    assert "rates holds exchange rates: one GBP is taken to be worth 1.1" in said
    assert "spend.time_zone says in which zone a day is" in said
