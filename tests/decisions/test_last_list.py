"""Who was on the last list counts a little more, so that names do not come and go; a later list is not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standings import standing_of

from features.core.recommendation import LIST_CHANGES
from models.decision.capacity import Amount, Costs
from pipeline.core.project import Places, Project, write_json
from pipeline.scoring.basis import DECIDED, LastList
from pipeline.scoring.changes import moved_since, since_last
from pipeline.scoring.deciding import Decider
from pipeline.scoring.earlier import AS_OF, Earlier, look_back
from pipeline.scoring.today import Owned, Today
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
    assert look_back(project, DecisionPolicy(), datetime(2026, 6, 30)).called == {"B", "C"}
    assert look_back(project, DecisionPolicy(), datetime(2026, 6, 29)).called == {"A", "B"}
    assert look_back(project, DecisionPolicy(), datetime(2026, 6, 28)).called == set()
    assert look_back(project, DecisionPolicy(), datetime(2026, 7, 5)).called == {"D"}


def test_scores_from_before_there_were_lists_name_nobody(project: Project[None]) -> None:
    (path,) = project.scores.glob("*-29T*/*/*.parquet")
    pq.write_table(pa.table({"lead_id": ["A"]}), path)
    assert look_back(project, DecisionPolicy(), datetime(2026, 6, 30)).called == set()


def test_who_was_on_the_list_stays_unless_another_is_clearly_better() -> None:
    as_of = datetime(2026, 6, 30)
    standing = standing_of(4, as_of)
    policy = DecisionPolicy.model_validate(
        {"capacity": [{"leads": 2}], "tiers": {"mql": 0.01, "sql": 0.02}, "stay": 0.25}
    )
    probabilities = np.array([0.40, 0.33, 0.30, 0.26])

    def called(before: str) -> list[str]:
        today = Today(policy, as_of, earlier=Earlier(called=frozenset(before)))
        decider = Decider(policy, standing, np.array(list("ABCD"), dtype=object), 0.02, today)
        tiers = decider.tiers(probabilities, slice(0, 4))
        lists = decider.decide(probabilities, tiers).columns["list"].to_pylist()
        return [lead for lead, name in zip("ABCD", lists, strict=True) if name == "sales"]

    assert called("") == ["A", "B"]
    assert called("C") == ["A", "C"], ".30 and a quarter more is .375, above .33"
    assert called("D") == ["A", "B"], ".26 and a quarter more is .325"


TIERS = {"mql": 0.01, "sql": 0.05}
FORETOLD = {"A": 0.5, "B": 0.4, "C": 0.3, "D": 0.2}


class Nights:
    """The history of scores, night by night, as ``leadcast score`` keeps it."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root)
        self.told: dict[str, Any] | None = None
        self.tiers: dict[str, tuple[str, str]] = {}
        """Of who has another tier, the one before and why."""

    def score(
        self,
        day: int,
        foretold: dict[str, float] = FORETOLD,
        *,
        ended: str = "",
        owned: Owned | None = None,
        costs: Costs | None = None,
        model: str = "a",
        standing: dict[str, Sequence[str | None]] | None = None,
        **policy: object,
    ) -> tuple[str, dict[str, str]]:
        """Make the list of a day of June 2026, and keep it; give who is on it, and why it is another than before."""
        as_of = datetime(2026, 6, day, 6)
        settings = DecisionPolicy.model_validate({"tiers": TIERS, "territory": "region"} | policy)
        today = Today(settings, as_of, owned, costs or Costs(), look_back(self.places, settings, as_of))
        ids, likely = np.array(list(foretold), dtype=object), np.array(list(foretold.values()))
        decider = Decider(settings, standing_of(len(ids), as_of, **standing or {}), ids, 0.02, today)
        decided = decider.decide(likely, decider.tiers(likely, slice(None)))
        last = None if today.earlier.last is None else LastList.read(today.earlier.last)
        moved = moved_since(decider, likely, decided, model, last)
        decided = replace(decided, causes=moved.lists, last=last)
        self.tiers = {lead: (row.before, row.cause) for lead, row in moved.tiers.iterrows()}
        columns = {"lead_id": [*ids, *ended], "probability": [*likely, *[None] * len(ended)]}
        tiers = [*decided.columns["tier"].to_pylist(), *["customer"] * len(ended)]
        causes_of_tiers = [self.tiers.get(lead, (None, None))[1] for lead in columns["lead_id"]]
        lists = {"list": [*decided.columns["list"].to_pylist(), *["none"] * len(ended)], "tier": tiers}
        table = pa.table(columns | lists | {"tier_changed": pa.array(causes_of_tiers, pa.string())})
        self.told, changes = since_last(decided, model, table)
        folder = self.places.scores / f"{as_of:{AS_OF}}" / f"model={model}"
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "recommendations.parquet")
        write_json(folder / DECIDED, {**decided.as_json(), "model_version": model, "rests_on": decided.rests_on})
        causes = {lead: cause for lead, cause in zip(columns["lead_id"], changes.to_pylist(), strict=True) if cause}
        called = table.filter(pc.equal(table["list"], "sales"))["lead_id"].to_pylist()
        return "".join(sorted(called)), causes


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def counts(nights: Nights) -> tuple[Any, ...]:
    assert nights.told
    return tuple(nights.told[name] for name in ("came", "went", "causes", "changed"))


def test_more_time_brings_who_waited_and_less_sends_the_last_away(nights: Nights) -> None:
    assert nights.score(23, capacity=[{"leads": 1}]) == ("A", {})
    assert nights.told is None, "there was no list before"
    assert nights.score(24, capacity=[{"leads": 3}]) == ("ABC", {"B": "capacity", "C": "capacity"})
    assert counts(nights) == (2, 0, {"capacity": 2}, ["time"])
    assert nights.score(25, capacity=[{"leads": 2}]) == ("AB", {"C": "capacity"})
    assert counts(nights) == (0, 1, {"capacity": 1}, ["time"])
    assert nights.score(26) == ("ABCD", {"C": "capacity", "D": "capacity"}), "nobody says how much time there is"


def test_on_a_day_off_it_is_the_time_that_is_another_though_no_setting_is(nights: Nights) -> None:
    nights.score(26, capacity=[{"leads": 2}])
    assert nights.score(27, capacity=[{"leads": 2}]) == ("", {"A": "capacity", "B": "capacity"})
    assert counts(nights) == (0, 2, {"capacity": 2}, [])


def test_who_owns_what_and_the_time_there_is_the_table_of_owners(nights: Nights) -> None:
    where: dict[str, Sequence[str | None]] = {"territory": ["north", "north", "south", "west"]}
    stated = {"north": Amount(1), "south": Amount(1)}
    assert nights.score(23, owned=Owned({"north": "Ann"}, stated), standing=where) == ("A", {})
    both = Owned({"north": "Ann", "south": "Ben"}, stated)
    assert nights.score(24, owned=both, standing=where) == ("AC", {"C": "owners"})
    more = Owned({"north": "Ann", "south": "Ben"}, stated | {"north": Amount(2)})
    assert nights.score(25, owned=more, standing=where) == ("ABC", {"B": "owners"})
    assert nights.score(26, owned=None, standing=where) == ("ABCD", {"D": "owners"})
    assert counts(nights) == (1, 0, {"owners": 1}, ["owners"])


def test_of_another_champion_it_is_not_told_what_leads_did(nights: Nights) -> None:
    nights.score(23, capacity=[{"leads": 2}])
    other = {"A": 0.5, "B": 0.2, "C": 0.4, "D": 0.1}
    assert nights.score(24, other, model="b", capacity=[{"leads": 2}]) == ("AC", {"B": "model", "C": "model"})
    assert counts(nights) == (1, 1, {"model": 2}, ["model"])


def test_what_a_lead_did_is_a_fact_or_its_score_and_frees_a_place_for_another(nights: Nights) -> None:
    nights.score(23, capacity=[{"leads": 2}])
    taken: dict[str, Sequence[str | None]] = {"taken": [None, "2026-06-23T12:00", None, None]}
    assert nights.score(24, standing=taken, capacity=[{"leads": 2}]) == ("AC", {"B": "fact", "C": "fact"})
    likelier = FORETOLD | {"D": 0.9}
    assert nights.score(25, likelier, standing=taken, capacity=[{"leads": 2}]) == ("AD", {"C": "score", "D": "score"})
    assert counts(nights) == (1, 1, {"score": 2}, [])


def test_leads_come_end_and_vanish(nights: Nights) -> None:
    nights.score(23, capacity=[{"leads": 2}])
    now = {"C": 0.3, "D": 0.2, "E": 0.9}
    assert nights.score(24, now, ended="A", capacity=[{"leads": 2}]) == ("CE", {"A": "fact", "C": "fact", "E": "new"})
    assert counts(nights) == (2, 2, {"fact": 2, "new": 1, "gone": 1}, []), "of B there is no row any more"
    assert nights.score(25, now | {"A": 0.8}, capacity=[{"leads": 2}]) == ("AE", {"A": "fact", "C": "fact"})


def test_what_changes_on_one_night_is_told_apart_by_lead(nights: Nights) -> None:
    nights.score(23, capacity=[{"leads": 1}])
    taken: dict[str, Sequence[str | None]] = {"taken": ["2026-06-23T12:00", None, None, None]}
    found = nights.score(24, standing=taken, capacity=[{"leads": 2}])
    assert found == ("BC", {"A": "fact", "B": "fact", "C": "capacity"}), "B has the place of A, and C the new one"
    assert counts(nights) == (2, 1, {"fact": 2, "capacity": 1}, ["time"])


@pytest.mark.parametrize(
    ("settings", "called", "cause", "changed"),
    [
        ({"tiers": {"mql": 0.01, "sql": 0.35}}, "AB", "cut-offs", ["cut_offs"]),
        ({"tiers": None}, "ABCD", None, ["cut_offs"]),
        ({"stay": 0.1, "tiers": TIERS | {"sql": 0.35}}, "AB", "cut-offs", ["cut_offs", "rules"]),
        ({"tiers": TIERS | {"sql": 0.35}, "money": {"value": 9.0, "sales_contact": 1.0, "nurturing": 0.1}}, "AB",
         "cut-offs", ["cut_offs", "value"]),
    ],
)  # fmt: skip
def test_other_cut_offs_are_told_apart_from_rules(
    nights: Nights, settings: dict[str, Any], called: str, cause: str | None, changed: list[str]
) -> None:
    assert nights.score(23)[0] == "ABCD"
    assert nights.score(24, **settings) == (called, dict.fromkeys(set("ABCD") - set(called), cause))
    assert counts(nights)[3] == changed


def test_where_the_rules_are_others_what_they_do_is_not_told_apart_from_facts(nights: Nights) -> None:
    nights.score(23, capacity=[{"leads": 2}])
    taken: dict[str, Sequence[str | None]] = {"taken": ["2026-06-23T12:00", None, None, None]}
    found = nights.score(24, standing=taken, capacity=[{"leads": 2}], stay=0.1)
    assert found == ("BC", {"A": "rules", "C": "rules"})


def test_what_leads_cost_moves_the_last_of_the_list(nights: Nights) -> None:
    calls: dict[str, Any] = {"capacity": [{"calls": 4}]}
    assert nights.score(23, costs=Costs(2.0, 0.5, 50, 500), **calls)[0] == "AB"
    assert nights.score(24, costs=Costs(1.0, 0.5, 50, 500), **calls) == ("ABCD", {"C": "costs", "D": "costs"})


def test_where_nothing_was_noted_no_cause_is_guessed(nights: Nights) -> None:
    nights.score(23, capacity=[{"leads": 1}])
    (noted,) = nights.places.scores.rglob(DECIDED)
    noted.unlink()
    assert nights.score(24, ended="A", foretold={"B": 0.01})[1] == {"A": "unknown"}
    assert nights.tiers == {"B": ("SQL", "unknown")}


def test_where_nothing_was_noted_no_cause_is_guessed_of_the_list(nights: Nights) -> None:
    nights.score(23, capacity=[{"leads": 1}])
    (noted,) = nights.places.scores.rglob(DECIDED)
    noted.unlink()
    assert nights.score(24, ended="A", foretold={"B": 0.4}) == ("B", {"A": "unknown", "B": "unknown"})
    assert counts(nights) == (1, 1, {"unknown": 2}, None)


def test_another_tier_has_the_last_step_that_moved_it_as_its_cause(nights: Nights) -> None:
    tiers: dict[str, Any] = {"tiers": {"mql": 0.25, "sql": 0.45}}
    nights.score(23, **tiers)
    assert nights.tiers == {}, "there was no list before"
    nights.score(24, FORETOLD | {"C": 0.5, "E": 0.9}, **tiers)
    assert nights.tiers == {"C": ("MQL", "score")}, "E was no open lead"
    assert nights.told
    assert nights.told["tiers"] == {"score": 1}
    raised: dict[str, Any] = {"standing": {"raised": [None, None, None, "2026-06-24T12:00"]}}
    nights.score(25, **tiers, **raised)
    assert nights.tiers == {"C": ("SQL", "score"), "D": ("IQL", "fact")}
    nights.score(26, tiers={"mql": 0.25, "sql": 0.35}, **raised)
    assert nights.tiers == {"B": ("MQL", "cut-offs")}
    nights.score(27, FORETOLD | {"A": 0.3}, model="b", tiers={"mql": 0.25, "sql": 0.35}, stay=0.1)
    assert nights.tiers == {"A": ("SQL", "model"), "D": ("SQL", "rules")}


CHANCES = st.sampled_from([0.03, 0.1, 0.2, 0.3, 0.4])


@given(
    first=st.lists(CHANCES, min_size=6, max_size=6),
    second=st.lists(CHANCES, min_size=6, max_size=6),
    places=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    sql=st.tuples(*[st.sampled_from([0.05, 0.15])] * 2),
    acts=st.booleans(),
)
def test_every_lead_that_moved_has_one_cause_and_only_what_changed_is_one(
    first: list[float], second: list[float], places: tuple[int, int], sql: tuple[float, float], *, acts: bool
) -> None:
    with TemporaryDirectory() as folder:
        nights = Nights(Path(folder))
        settings: list[dict[str, Any]] = [
            {"capacity": [{"leads": number}], "tiers": {"mql": 0.01, "sql": cut}}
            for number, cut in zip(places, sql, strict=True)
        ]
        before, _ = nights.score(23, dict(zip("ABCDEF", first, strict=True)), **settings[0])
        after, causes = nights.score(24, dict(zip("ABCDEF", second if acts else first, strict=True)), **settings[1])
    assert set(causes) == set(before) ^ set(after)
    assert set(causes.values()) <= set(LIST_CHANGES)
    possible = {"score": acts, "capacity": places[0] != places[1], "cut-offs": sql[0] != sql[1]}
    assert set(causes.values()) <= {name for name, is_so in possible.items() if is_so}
