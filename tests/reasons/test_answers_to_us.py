"""What answers us: acts whose absence says what we did, and is no reason against a lead."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from house import ROOT

from features.language.feature import Feature
from features.language.filters import OTHER, Filter
from features.language.stories import Story
from pipeline.scoring.explaining import Answers
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters


def act(event_type: Any = None, **more: Any) -> Story:  # noqa: ANN401 - whatever a filter takes
    return Story("act", "x", ("x",), Feature("days_since_last", Filter(event_type, **more)))


@pytest.fixture
def parameters() -> Parameters:
    return load_parameters(ROOT / "params.yaml")


def test_answers_are_what_contacts_answers_and_machines_name(parameters: Parameters) -> None:
    answers = Answers.of(parameters.decision, parameters.ingest)
    for name in ("call_answered", "meeting", "email_open", "email_click", "newsletter_click", "unsubscribe"):
        assert answers.has(act(name)), name
    assert answers.has(act(channel="email"))
    assert answers.has(act("meeting", content="first"))
    for story in (act("form"), act("quote_request"), act(), act(OTHER), act(channel="seo"), act(channel=OTHER)):
        assert not answers.has(story)
    assert not answers.has(Story("value", "lead__country", ("lead__country",), attribute="country"))


def test_machines_may_name_answers_by_globs_and_a_column_of_channels_says_nothing(parameters: Parameters) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    mails = content["ingest"]["sources"]["email"]
    mails["machines"] = {"sent": ["*_sent"], "opens": ["*_open"]}
    mails["columns"]["channel"] = "channel"
    answers = Answers.of(parameters.decision, type(parameters.ingest).model_validate(content["ingest"]))
    assert answers.has(act("newsletter_open"))
    assert not answers.has(act("unsubscribe"))
    assert not answers.has(act(channel="email"))
