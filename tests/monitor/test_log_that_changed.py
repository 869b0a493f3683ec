"""``leadcast monitor`` where the log is another than when it was scored: merged leads, few of a week, an end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from command_line import call
from pages import words
from watched import FIRST, LAST, PROMISED, write_scores
from world import Project

from pipeline.core.project import read_json
from pipeline.core.suspensions import read_suspensions

WEEK = timedelta(days=7)


@pytest.fixture
def changing(watched: Project, tmp_path: Path) -> Iterator[Project]:
    """Give the project, whose raw files and log are put back as they were."""
    kept = tmp_path / "kept"
    shutil.copytree(watched.root / "data", kept, ignore=shutil.ignore_patterns("scores"))
    yield watched
    shutil.copytree(kept, watched.root / "data", dirs_exist_ok=True)


def test_scores_of_leads_that_were_merged_since_are_set_aside_and_counted(changing: Project) -> None:
    raw = changing.root / changing.parameters.data_root / "identities.csv"
    links = pd.read_csv(raw, dtype=str)
    links[links["linked_at"] < f"{FIRST:%Y-%m-%d}"].to_csv(raw, index=False)
    changing.run("ingest")
    written = write_scores(changing, FIRST, PROMISED)
    links.to_csv(raw, index=False)
    changing.run("ingest")
    write_scores(changing, FIRST + WEEK, PROMISED)
    call("monitor")
    told = read_json(changing.monitored)
    (path,) = changing.scores.glob(f"as_of={FIRST:%Y-%m-%d}*/model=*/recommendations.parquet")
    scores = pq.read_table(path, partitioning=None).to_pandas()
    gone = scores[scores["lead_id"].isin(links["alias_id"])]
    assert len(gone) > 3
    assert told["weeks"][0]["leads"] == written - len(gone)
    assert told["set_aside"]["scores"] == len(gone)
    assert told["set_aside"]["promised"] == pytest.approx(gone["probability"].sum(), abs=1e-3)
    page = words(changing.monitor_page.read_text(encoding="utf-8"))
    assert f"{len(gone)} scores are set aside (they promised {gone['probability'].sum():.1f} of " in page
    assert "promise_unclear" not in {one["code"] for one in told["verdicts"]}


def test_where_most_of_what_was_promised_was_merged_it_is_told(changing: Project) -> None:
    write_scores(changing, FIRST, PROMISED)
    scored = pd.Series([f"L{number:06d}" for number in range(2_000)])
    raw = changing.root / changing.parameters.data_root / "identities.csv"
    links = pd.read_csv(raw, dtype=str)
    pairs = pd.DataFrame({"alias_id": scored[1::2].to_numpy(), "lead_id": scored[::2].to_numpy()})
    pairs = pairs[~pairs["alias_id"].isin([*links["alias_id"], *links["lead_id"]])]
    # An outcome of an alias is known when it is linked: of leads that had one, all outcomes would seem to come as late.
    outcomes = pd.read_csv(raw.with_name("outcomes.csv"), dtype=str)
    ended = set(outcomes.loc[outcomes["closed_at"] < f"{FIRST:%Y-%m-%d}", "lead_id"])
    pairs = pairs[~pairs["lead_id"].isin(links["alias_id"]) & ~pairs["alias_id"].isin(ended)]
    pairs["linked_at"] = f"{FIRST + timedelta(days=1):%Y-%m-%dT00:00:00Z}"
    pd.concat([links, pairs]).to_csv(raw, index=False)
    changing.run("ingest")
    call("monitor")
    told = read_json(changing.monitored)
    assert told["set_aside"]["promised"] > 0.3 * told["set_aside"]["of_promised"]
    (unclear,) = (one for one in told["verdicts"] if one["code"] == "promise_unclear")
    assert unclear["evidence"].startswith(f"{told['set_aside']['scores']:,} scores, which promised ")


def test_a_week_in_which_only_the_best_were_scored_breaks_no_promise_that_is_right(changing: Project) -> None:
    """Each score is the truth, and in the third week only leads above the others were scored."""
    truth = pd.read_parquet(changing.root / changing.parameters.data_root / "truth.parquet")
    for back in range((LAST - FIRST) // WEEK + 1):
        moment = FIRST + back * WEEK
        write_scores(changing, moment, PROMISED)
        (path,) = changing.scores.glob(f"as_of={moment:%Y-%m-%d}*/model=*/recommendations.parquet")
        table = pq.read_table(path, partitioning=None)
        of_week = truth[truth["as_of"] == moment].set_index("lead_id")["p_observable"]
        right = of_week.reindex(table["lead_id"].to_pylist()).to_numpy()
        table = table.set_column(table.column_names.index("probability"), "probability", pa.array(right))
        least = of_week.quantile(0.9) if back == 2 else 0.0
        table = table.filter(pc.greater(table["probability"], least))
        pq.write_table(table, path)
    code, text = call("monitor")
    told = read_json(changing.monitored)
    assert code == 0, text
    assert told["weeks"][2]["leads"] < 0.2 * told["weeks"][1]["leads"]
    assert told["promises"][0]["expected"] > 30.0
    assert told["promises"][0]["state"] == "kept"
    assert read_suspensions(changing) == []


def test_a_source_that_ends_is_an_alarm_of_its_own_and_suspends_nobody(changing: Project) -> None:
    raw = changing.root / changing.parameters.data_root / "web.parquet"
    web = pq.read_table(raw)
    moment = changing.parameters.ingest.sources["web"].columns.occurred_at
    assert isinstance(moment, str)
    ends = pa.scalar(LAST - 2 * WEEK)
    column = web[moment]
    pq.write_table(web.filter(pc.less(column, ends.cast(column.type))), raw)
    changing.run("ingest")
    code, text = call("monitor")
    told = read_json(changing.monitored)
    alarms = {(one["code"], one["subject"]) for one in told["verdicts"] if one["is_alarm"]}
    assert (code, alarms) == (11, {("source_silent", "web"), ("source_thin", "web")}), text
    assert read_suspensions(changing) == []
    assert call("monitor", "--as-of", f"{FIRST:%Y-%m-%d}")[0] == 0, "of an earlier day nobody knows"
