"""Event types that a source calls otherwise by now are told; a log in which nothing changed is left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pages import page_of_leads
from raw_logs import parameters_of, run_ingest, source_of, write_raw
from world import Project as Ran

from features.core.errors import NotEnoughDataError
from models.core.verdicts import Verdict
from pipeline.core.project import Places, Project
from pipeline.log.named import require_ends
from pipeline.log.renamed import doubts_of_names
from pipeline.report.results import Results
from pipeline.settings.timeline import Episodes

DAYS, RENAMED = 100, 80
BEGIN = datetime(2026, 1, 1, 9)
TONIGHT = BEGIN + timedelta(days=DAYS)
EPISODES = Episodes(conversion=("won",), lost=("lost",))


def outcomes(called: Mapping[str, str], *more: str) -> str:
    """Give a won and a lost a day, each of another lead, which are called otherwise from day 80, 22 March, on."""
    rows = [
        f"{what[0]}{day},{BEGIN + timedelta(days=day)},{called.get(what, what) if day >= RENAMED else what}"
        for day in range(DAYS)
        for what in ("won", "lost")
    ]
    return "\n".join(["lead,at,what", *rows, *more]) + "\n"


def doubts(root: Path, log: str, learned_until: datetime | None = None) -> list[Verdict]:
    """Ingest a log of outcomes, and look at it."""
    write_raw(root, log_csv=log)
    run_ingest(root)
    parameters = parameters_of({"log": source_of()}).model_copy(update={"episodes": EPISODES})
    return doubts_of_names(Project(root, parameters), TONIGHT, [("decision.work", ["call"])], learned_until)


def test_a_log_in_which_nothing_changed_is_left_alone(tmp_path: Path) -> None:
    assert doubts(tmp_path, outcomes({}), BEGIN + timedelta(days=70)) == []


def test_an_end_that_is_written_otherwise_is_wrong_and_its_silence_is_told(tmp_path: Path) -> None:
    written, silent = doubts(tmp_path, outcomes({"won": "WÓN !"}))
    assert (written.name, written.severity) == ("type_renamed:WÓN !", "wrong")
    assert written.evidence.startswith("20 leads have an event 'WÓN !', known since 2026-03-22, which is 'won' but for")
    assert "since then 0 leads have 'won'. episodes.conversion names that alone" in written.evidence
    assert (silent.name, silent.severity) == ("type_renamed:won", "doubtful")


def test_an_end_that_stops_while_its_source_goes_on_is_told_with_what_is_new(tmp_path: Path) -> None:
    (silent,) = doubts(tmp_path, outcomes({"won": "closed"}))
    assert silent.severity == "doubtful"
    assert silent.evidence.startswith("no event 'won' for 20 days, since 2026-03-21, where 1.0 days were the longest")
    assert silent.evidence.endswith("New since then: 'closed'")


@pytest.mark.parametrize(("mistyped", "severity"), [(4, "doubtful"), (6, "wrong")])
def test_a_few_that_were_mistyped_are_told(mistyped: int, severity: str, tmp_path: Path) -> None:
    by_hand = [f"h{n},2026-01-02,Lost" for n in range(mistyped)]
    (written,) = doubts(tmp_path, outcomes({}, *by_hand))
    assert written.severity == severity  # of 99 and these, 5 or more leads, and a twentieth, are no slip
    assert "since then 99 leads have 'lost'. episodes.lost" in written.evidence


def test_a_type_that_came_after_the_champion_had_learned_is_told_of_a_source_of_ends(tmp_path: Path) -> None:
    beside = [f"n{n},2026-04-01,signed" for n in range(3)] + [f"p{n},2026-04-01,P-{n}" for n in range(9)]
    (new,) = doubts(tmp_path, outcomes({}, *beside), datetime(2026, 3, 31))
    assert new.name == "type_renamed:log"
    assert new.evidence.startswith("12 events of types that came after the champion had learned, up to 2026-03-31, in")
    assert "P-" not in new.evidence  # what few leads have may be an id
    assert doubts(tmp_path, outcomes({}, *beside), datetime(2026, 4, 2)) == []


def test_what_another_source_calls_alike_is_another_thing(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=outcomes({}), web_csv="lead,at,what\n" + "w1,2026-04-01,Won\n" * 9)
    sources = {"log": source_of(), "web": source_of("web.csv", {"event_id": "at"})}
    run_ingest(tmp_path, sources)
    parameters = parameters_of(sources).model_copy(update={"episodes": EPISODES})
    assert doubts_of_names(Project(tmp_path, parameters), TONIGHT) == []


def test_ingest_tells_of_one_word_that_is_written_in_several_ways(tmp_path: Path) -> None:
    ids = [f"i{n},2026-01-02,A-{n}\nj{n},2026-01-03,a{n}" for n in range(30)]
    write_raw(tmp_path, log_csv=outcomes({"lost": " Lost."}, *ids))
    (warning,) = [one for one in run_ingest(tmp_path).warnings if "one word" in one]
    assert warning == (
        "log: event types are one word but for case, accents and signs, and count as several: 'lost' (80) and "
        "' Lost.' (20); if they say the same, let a query write it in one way"
    )


def test_ends_that_never_occur_are_refused_and_no_id_is_told_where_ids_are_types(tmp_path: Path) -> None:
    ids = [f"i{n},2026-01-02,i{n}" for n in range(200)]
    write_raw(tmp_path, log_csv="\n".join(["lead,at,what", *ids]) + "\n")
    warnings = run_ingest(tmp_path, {"log": source_of(actor={"default": "us", "lead": ["won"]})}).warnings
    nothing = "none of them is of several leads, so each may be an id: is another column mapped?"
    assert f"log: actor.lead lists 'won', which never occurs; {nothing}" in warnings
    with pytest.raises(NotEnoughDataError, match=f"no event of type 'won' in the log; {re.escape(nothing)}$"):
        require_ends(Places(tmp_path), EPISODES)


def test_the_page_says_where_an_end_may_have_another_name_by_now(world: Ran) -> None:
    results = Results.read(world)
    leads, said = pq.read_table(world.recommendations), "may call event types otherwise by now"
    assert said not in page_of_leads(world.parameters, results, leads)
    doubted = replace(results, scoring=results.scoring | {"renamed": ["won", "<b>"]})
    page = page_of_leads(world.parameters, doubted, leads)
    assert f"{said} that the settings name (won, &lt;b&gt;)" in page
