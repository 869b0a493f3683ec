"""Rows sorted part by part are the rows sorted at once, and those that repeat others are the same."""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_logs import LEADS, read_log, read_quarantine, run_ingest, source_of, write_raw

from features.core.schema import INTERACTION, Field
from pipeline.partitions.arrangement import arrange
from pipeline.partitions.joined import join_files
from pipeline.partitions.log_file import ROW_GROUP, by_numbers, write_parts
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import Dealt, Spool, in_order
from pipeline.partitions.texts import MOST_TEXTS, NumberedTexts, TooManyTextsError

_WHOLE_ROW = ("event", "note", "value")
_TYPES = {
    "lead": pa.uint32(),
    "occurred_at": pa.timestamp("us"),
    "source": pa.uint16(),
    "sequence": pa.int64(),
    "event": pa.uint16(),
    "note": pa.string(),
    "value": pa.float64(),
}
_TIMES = st.one_of(st.integers(0, 3), st.sampled_from([0, 2**62]))
_ROWS = st.lists(
    st.tuples(
        st.integers(1, 4),
        _TIMES,
        st.integers(0, 2),
        st.one_of(st.none(), st.integers(0, 2)),
        st.sampled_from([None, "", "a", "b"]),
        st.sampled_from([None, 0.0, -0.0, 1.5]),
    ),
    max_size=40,
)
_Row = tuple[Any, ...]


def _table(rows: list[_Row], order: list[int]) -> pa.Table:
    numbered = [(*row[:3], place, *row[3:]) for place, row in enumerate(rows)]
    columns = zip(*(numbered[place] for place in order), strict=True) if rows else [[]] * len(_TYPES)
    return pa.table([pa.array(one, kind) for one, kind in zip(columns, _TYPES.values(), strict=True)], list(_TYPES))


def _known(rows: list[_Row], judged: list[int]) -> tuple[list[int], list[int]]:
    """Sort and compare rows one by one: the sequences of those that stay, in order, and of those that repeat one."""
    order = sorted(range(len(rows)), key=lambda place: (*rows[place][:3], place))
    seen, stay, repeats = set(), [], []
    for place in order:
        if rows[place] in seen and rows[place][2] in judged:
            repeats.append(place)
        else:
            stay.append(place)
        seen.add(rows[place])
    return stay, repeats


@given(rows=_ROWS, judged=st.sampled_from([[], [0], [0, 1, 2]]), random=st.randoms(use_true_random=False))
def test_a_part_is_sorted_and_its_repeats_are_taken_out_as_one_by_one(
    rows: list[_Row], judged: list[int], random: Random
) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    arranged = arrange(_table(rows, order), _WHOLE_ROW, judged)
    stay, repeats = _known(rows, judged)
    assert arranged.rows["sequence"].to_pylist() == stay
    assert sorted(arranged.repeats["sequence"].to_pylist()) == sorted(repeats)


@given(rows=_ROWS, width=st.integers(1, 4), most=st.integers(1, 12), pieces=st.integers(1, 3))
def test_parts_come_in_the_order_of_leads_and_times_however_small_they_are(
    tmp_path_factory: pytest.TempPathFactory, rows: list[_Row], width: int, most: int, pieces: int
) -> None:
    place = tmp_path_factory.mktemp("spool") / "rows"
    with Spool(place) as spool:
        whole = _table(rows, list(range(len(rows))))
        cuts = [len(rows) * piece // pieces for piece in range(pieces + 1)]
        for start, end in itertools.pairwise(cuts):
            for batch in whole.slice(start, end - start).to_batches():
                spool.deal(batch, ((np.asarray(batch["lead"]) - 1) // width).astype(np.uint16))
        parts = list(in_order([spool.dealt()], most, place))
        spool.dealt().write_index(place.with_suffix(".index"))
        halves = [Dealt.open(place.with_suffix(".index"), range(cut, cut + 2)) for cut in (0, 2)]
        read = [part for half in halves for part in in_order([half], most, place)]
    found = [arrange(part, _WHOLE_ROW, [0, 1, 2]).rows["sequence"].to_pylist() for part in parts]
    assert list(itertools.chain(*found)) == _known(rows, [0, 1, 2])[0]
    assert read == parts, "another process reads some of the parts by the index"
    for part in (part for part in parts if len(part) > most):
        moments = zip(part["lead"].to_pylist(), part["occurred_at"].cast(pa.int64()).to_pylist(), strict=True)
        assert len(set(moments)) == 1, "only what is of one lead and one time is larger than a part may be"


@given(
    texts=st.lists(st.lists(st.one_of(st.none(), st.sampled_from(["b", "\u00e9", "a", ""])), max_size=8), max_size=4)
)
def test_numbered_texts_are_the_texts_and_their_dictionary_is_in_the_order_of_bytes(
    texts: list[list[str | None]],
) -> None:
    known = ["", "b"]
    numbered = NumberedTexts("event", known)
    numbers = []
    for place, some in enumerate(pa.array(one, pa.string()) for one in texts):
        if place % 2:
            found = pa.array([known.index(text) if text in known else None for text in some.to_pylist()], pa.uint8())
            others = pa.array([None if text in known else text for text in some.to_pylist()], pa.string())
            coded = pa.DictionaryArray.from_arrays(found, pa.array(known))
            numbers.append(numbered.encode_known(coded, others))
        else:
            numbers.append(numbered.encode(some))
    for some, told in zip(texts, map(numbered.decode, map(pa.array, numbers)), strict=True):
        assert told.to_pylist() == some
        every = {*known, *(text for one in texts for text in one if text is not None)}
        assert told.dictionary.to_pylist() == sorted(every)


@given(texts=st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=2, max_size=2))
def test_texts_numbered_side_by_side_get_one_numbering(texts: list[list[str]]) -> None:
    both = NumberedTexts("event", ["b", "c"])
    told = []
    for some in texts:
        own = NumberedTexts("event", ["b", "c"])
        numbers = own.encode(pa.array(some, pa.string()))
        told.append(both.take_in(own.added())[numbers])
    assert [both.decode(pa.array(numbers)).to_pylist() for numbers in told] == texts


def test_a_column_of_more_texts_than_there_are_numbers_is_named() -> None:
    numbered = NumberedTexts("campaign")
    numbered.encode(pa.array([str(number) for number in range(MOST_TEXTS)]))
    with pytest.raises(TooManyTextsError, match="campaign"):
        numbered.encode(pa.array(["one more"]))


_ROWS_OF_LOG = 300_000
"""So many are three row groups."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a log whose rows come at once."""
    target = tmp_path_factory.mktemp("log") / "whole"
    write_parts([_log_part(0, _ROWS_OF_LOG)], target)
    return target


def test_a_log_holds_its_rows_and_its_texts_as_such(whole: Path) -> None:
    texts = pq.read_table(whole, columns=["lead_id", "event_type"])
    assert pa.types.is_string(texts.schema.field("lead_id").type)
    assert texts["lead_id"].to_pylist() == [f"L{row // 7:06}" for row in range(_ROWS_OF_LOG)]
    assert texts["event_type"].to_pylist() == [f"type {row // 100_000}" for row in range(_ROWS_OF_LOG)]


@given(cuts=st.lists(st.integers(0, _ROWS_OF_LOG), max_size=4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_bytes_of_a_log_do_not_follow_from_its_parts(whole: Path, tmp_path: Path, cuts: list[int]) -> None:
    places = sorted({0, *cuts, _ROWS_OF_LOG})
    write_parts([_log_part(start, end) for start, end in itertools.pairwise(places)], tmp_path / "parts")
    assert (tmp_path / "parts").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("cuts", [[0, 3], [0, 1, 3], [0, 1, 2, 3], [0, 2, 3]])
def test_row_groups_of_several_files_are_put_together_to_the_bytes_of_one(tmp_path: Path, cuts: list[int]) -> None:
    write_parts([_log_part(0, 300_000)], tmp_path / "whole")
    pieces = []
    for start, end in itertools.pairwise(cuts):
        pieces.append(tmp_path / f"piece-{start}")
        write_parts([_log_part(start * ROW_GROUP, min(end * ROW_GROUP, 300_000))], pieces[-1])
    join_files(pieces, tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole").read_bytes()
    assert pq.read_table(tmp_path / "joined").equals(pq.read_table(tmp_path / "whole"))


def test_more_row_groups_than_a_list_counts_at_once_are_put_together(tmp_path: Path) -> None:
    table = pa.table(
        {"id": pa.array(range(40)), "half": pa.array([n / 2 for n in range(40)]), "text": ["x", None] * 20}
    )
    pq.write_table(table, tmp_path / "whole", row_group_size=1)
    for start in (0, 3, 20):
        part = table.slice(start, {0: 3, 3: 17, 20: 20}[start])
        pq.write_table(part, tmp_path / f"piece-{start}", row_group_size=1)
    join_files([tmp_path / f"piece-{start}" for start in (0, 3, 20)], tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole").read_bytes()


def _log_part(start: int, end: int) -> pa.Table:
    row = np.arange(start, end)
    first = start // 7
    leads = pa.array([f"L{number:06}" for number in range(first, end // 7 + 1)])
    types = pa.array([f"type {number}" for number in range(4)])
    known: dict[str, pa.Array] = {
        "lead_id": by_numbers(pa.array(row // 7 - first), leads),
        "event_type": by_numbers(pa.array(row // 100_000), types),
        "sequence": pa.array(row),
    }
    return pa.table({field.name: known.get(field.name, _same(field, len(row))) for field in INTERACTION})


def _same(field: Field, rows: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(rows, field.arrow)
    return pa.repeat(pa.scalar("x" if field.duckdb == "VARCHAR" else 0, field.arrow), rows)


@pytest.mark.parametrize("apart", [False, True])
@given(
    batches=st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**10)), max_size=6)),
        max_size=4,
    )
)
def test_a_look_at_passing_rows_counts_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, list[tuple[int, int]]]], *, apart: bool
) -> None:
    look = Look()
    for unusable, times in batches:
        one = Look() if apart else look
        occurred, known = ([time[place] for time in times] for place in (0, 1))
        one.take(len(times) + unusable, pa.array(occurred, pa.timestamp("us")), pa.array(known, pa.timestamp("us")))
        if apart:  # as in processes that write what they have counted
            place = tmp_path_factory.mktemp("look") / "counts"
            one.write(place)
            look.take_in(Look.read(place))
    every = [time for _, times in batches for time in times]
    assert (look.rows, look.usable) == (sum(more for more, _ in batches) + len(every), len(every))
    assert look.occurred == ((min(every)[0], max(one for one, _ in every)) if every else None)
    assert look.known == max((one for _, one in every), default=None)
    minutes, counts = np.unique([one // 60_000_000 for _, one in every], return_counts=True)
    found = look.arrivals()
    assert found[0].tolist() == minutes.tolist()
    assert found[1].tolist() == counts.tolist()


def test_a_repeated_row_is_a_duplicate_though_nobody_knows_its_lead(tmp_path: Path) -> None:
    rows = ["A,2026-01-01,visit", "X,2026-01-02,visit", "X,2026-01-02,visit", "A,2026-01-01,visit", "X,2026-01-02,call"]
    write_raw(tmp_path, leads_csv="lead,created\nA,2025-12-01\n", log_csv="\n".join(["lead,at,what", *rows, ""]))
    summary = run_ingest(tmp_path, {"log": source_of()}, leads=LEADS)
    assert read_log(tmp_path, "lead_id, event_type, sequence") == [("A", "visit", 2)]
    assert [(line, reason) for _, line, reason in read_quarantine(tmp_path)] == [
        (3, "unknown lead"), (4, "duplicate"), (5, "duplicate"), (6, "unknown lead"),
    ]  # fmt: skip
    assert summary.sources["log"].set_aside == {"duplicate": 2, "unknown lead": 2}
