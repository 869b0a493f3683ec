"""The settings as init writes them: they are read back as they were meant, whatever the user's words hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from exports import BEGINNING, write_table
from hypothesis import given
from hypothesis import strategies as st
from proposals import propose

from pipeline.discovery.writing import write_settings

TEXTS = st.text(alphabet="ab ,:[]{}?#&*!|>'\"%@`-~1é\\", min_size=1, max_size=8)


@given(one=TEXTS, other=TEXTS)
def test_what_is_written_is_read_back(one: str, other: str) -> None:
    content = {"episodes": {"within": {"conversion": [one, other], "milestones": {one: other}, "us": {one: [other]}}}}
    assert yaml.safe_load(write_settings(content, {}, "head")) == content


def test_usual_words_are_written_as_ever() -> None:
    content = {"ingest": {"sources": {"web": {"columns": {"lead_id": "case:concept:name", "at": "1", "on": "a b"}}}}}
    assert "columns: {lead_id: case:concept:name, at: '1', 'on': a b}" in write_settings(content, {}, "head")


@pytest.mark.parametrize("kind", ["Demo, online", "won: {all}", "deal [won]", "a # won"])
def test_an_event_type_with_signs_of_yaml_can_be_the_conversion(tmp_path: Path, kind: str) -> None:
    rows = [
        (
            f"L{number:04d}",
            f"{BEGINNING.replace(hour=step):%Y-%m-%d %H:%M}",
            ("view", kind)[step == 3 and number % 3 == 0],
        )
        for number in range(300)
        for step in range(4)
    ]
    write_table(tmp_path / "raw/log.csv", ("lead_id", "at", "event"), rows)
    settings = propose(tmp_path / "raw", tmp_path, conversion=(kind,))
    assert settings["episodes"]["conversion"] == [kind]
