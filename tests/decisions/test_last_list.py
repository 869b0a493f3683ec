"""Who was on the last list counts a little more, so that names do not come and go; a later list is not known yet."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.decision.facts import Held
from models.decision.word import Word
from pipeline.core.project import Project
from pipeline.scoring.champion import called_before
from pipeline.scoring.deciding import Decider
from pipeline.scoring.standing import Standing
from pipeline.scoring.word import Spoken
from pipeline.settings.decision import DecisionPolicy


@pytest.fixture
def project(tmp_path: Path) -> Project[None]:
    project = Project(tmp_path, None)
    for day, model, called in (("28", "a", "AB"), ("29", "a", "BC"), ("30", "b", "D")):
        folder = project.scores / f"as_of=2026-06-{day}T00-00-00.000000" / f"model={model}"
        folder.mkdir(parents=True)
        lists = ["sales" if lead in called else "none" for lead in "ABCD"]
        pq.write_table(pa.table({"lead_id": list("ABCD"), "list": lists}), folder / "recommendations.parquet")
    return project


def test_the_last_list_is_the_newest_before_the_moment(project: Project[None]) -> None:
    assert called_before(project, datetime(2026, 6, 30)) == {"B", "C"}
    assert called_before(project, datetime(2026, 6, 29)) == {"A", "B"}
    assert called_before(project, datetime(2026, 6, 28)) == set()
    assert called_before(project, datetime(2026, 7, 5)) == {"D"}


def test_scores_from_before_there_were_lists_name_nobody(project: Project[None]) -> None:
    (path,) = project.scores.glob("*-29T*/*/*.parquet")
    pq.write_table(pa.table({"lead_id": ["A"]}), path)
    assert called_before(project, datetime(2026, 6, 30)) == set()


def test_who_was_on_the_list_stays_unless_another_is_clearly_better() -> None:
    as_of = datetime(2026, 6, 30)
    moments = np.full(4, np.datetime64(as_of, "us"))
    nothing, nobody = np.zeros((4, 0), "datetime64[us]"), np.full(4, None, dtype=object)
    no = np.zeros(4, dtype=bool)
    standing = Standing(
        held=Held.of({}, nothing, nothing, moments),
        maturity=np.full(4, "warm"),
        is_back=np.zeros(4, dtype=bool),
        stage=pa.nulls(4, pa.string()),
        decided_at=np.full(4, np.datetime64("NaT", "us")),
        target=nobody,
        value=None,
        account=nobody,
        territory=nobody,
        facts=[[]] * 4,
        spoken=Spoken(Word(no, np.full(4, ""), no, no), [None] * 4),
    )
    policy = DecisionPolicy.model_validate(
        {"capacity": [{"leads": 2}], "tiers": {"mql": 0.01, "sql": 0.02}, "stay": 0.25}
    )
    probabilities = np.array([0.40, 0.33, 0.30, 0.26])

    def called(before: str) -> list[str]:
        decider = Decider(policy, standing, np.array(list("ABCD"), dtype=object), 0.02, frozenset(before))
        tiers = decider.tiers(probabilities, slice(0, 4))
        lists = decider.decide(probabilities, tiers, as_of).columns["list"].to_pylist()
        return [lead for lead, name in zip("ABCD", lists, strict=True) if name == "sales"]

    assert called("") == ["A", "B"]
    assert called("C") == ["A", "C"], ".30 and a quarter more is .375, above .33"
    assert called("D") == ["A", "B"], ".26 and a quarter more is .325"
