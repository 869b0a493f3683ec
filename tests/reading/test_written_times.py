"""Times as vendors write them: what ``init`` proposes for a column is what ``ingest`` reads of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from cases import case, empty_project, propose
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from raw_logs import moment_of, read_log, run_ingest, source_of, write_raw
from small_project import SmallProject

from pipeline.reading.moments import fitting_formats

PARIS, PLUS_ONE = ZoneInfo("Europe/Paris"), timezone(timedelta(hours=1))
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def offset(moment: datetime) -> str:
    """Write a moment's offset, as +0100."""
    return f"{moment:%z}"


def summer(moment: datetime) -> str:
    """Write the zone's name in Paris at a moment."""
    return "CEST" if moment.utcoffset() == timedelta(hours=2) else "CET"


KINDS: Mapping[str, tuple[Callable[[datetime], str], timedelta]] = {
    "offset after a blank": (lambda t: f"{t.astimezone(PARIS):%Y-%m-%d %H:%M:%S %z}", timedelta(seconds=1)),
    "offset with a colon": (lambda t: t.astimezone(PARIS).isoformat(timespec="seconds"), timedelta(seconds=1)),
    "Z": (lambda t: f"{t:%Y-%m-%dT%H:%M:%SZ}", timedelta(seconds=1)),
    "UTC": (lambda t: f"{t:%Y-%m-%d %H:%M:%S UTC}", timedelta(seconds=1)),
    "GMT+1": (lambda t: f"{t.astimezone(PLUS_ONE):%Y-%m-%d %H:%M:%S GMT+1}", timedelta(seconds=1)),
    "summer time by name": (
        lambda t: f"{t.astimezone(PARIS):%Y-%m-%d %H:%M} {summer(t.astimezone(PARIS))}", timedelta(minutes=1)
    ),
    "zone in brackets": (
        lambda t: f"{t.astimezone(PARIS).isoformat(timespec='milliseconds')}[Europe/Paris]", timedelta(milliseconds=1)
    ),
    "milliseconds": (lambda t: t.isoformat(timespec="milliseconds"), timedelta(milliseconds=1)),
    "decimal comma": (lambda t: t.isoformat(" ", "milliseconds").replace(".", ","), timedelta(milliseconds=1)),
    "AM and PM": (lambda t: f"{t:%Y-%m-%d %I:%M:%S %p}", timedelta(seconds=1)),
    "a month's name": (lambda t: f"{MONTHS[t.month - 1]} {t.day}, {t.year}, {t:%I:%M:%S %p}", timedelta(seconds=1)),
    "a browser's": (
        lambda t: f"{DAYS[t.weekday()]} {MONTHS[t.month - 1]} {t:%d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)",
        timedelta(seconds=1),
    ),
    "a mail's": (
        lambda t: f"{DAYS[t.weekday()]}, {t:%d} {MONTHS[t.month - 1]} {t:%Y %H:%M:%S} GMT", timedelta(seconds=1)
    ),
    "a web server's": (lambda t: f"{t:%d}/{MONTHS[t.month - 1]}/{t:%Y:%H:%M:%S} +0000", timedelta(seconds=1)),
    "compact": (lambda t: f"{t:%Y%m%dT%H%M%SZ}", timedelta(seconds=1)),
    "compact without a zone": (lambda t: f"{t:%Y%m%dT%H%M%S}", timedelta(seconds=1)),
    "compact digits": (lambda t: f"{t:%Y%m%d%H%M%S}", timedelta(seconds=1)),
    "seconds": (lambda t: str(since_1970(t) // 1_000_000), timedelta(seconds=1)),
    "milliseconds since 1970": (lambda t: str(since_1970(t) // 1_000), timedelta(milliseconds=1)),
    "microseconds": (lambda t: str(since_1970(t)), timedelta(microseconds=1)),
    "nanoseconds": (lambda t: str(since_1970(t) * 1_000 + 789), timedelta(microseconds=1)),
    "a spreadsheet's days": (
        lambda t: f"{25569 + since_1970(t) // 1_000_000 / 86_400:.10f}", timedelta(seconds=1)
    ),
    "a year of two digits": (lambda t: f"{t:%d.%m.%y %H:%M}", timedelta(minutes=1)),
    "a local date with an offset": (lambda t: f"{t.astimezone(PARIS):%d/%m/%Y %H:%M:%S %z}", timedelta(seconds=1)),
}  # fmt: skip
"""How a moment is written, and to what it is exact."""


def since_1970(moment: datetime) -> int:
    """Count microseconds."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def cut(moment: datetime, exact: timedelta) -> datetime:
    """Drop what a text does not say, and the zone."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (epoch + (moment - epoch) // exact * exact).replace(tzinfo=None)


FIXED = tuple(
    datetime(2026, month, day, 23 - month, 7 * month % 60, day, 123456, tzinfo=UTC)
    for month, day in ((1, 3), (3, 29), (7, 14), (10, 25))
)


@settings(max_examples=4, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.datetimes(datetime(1991, 1, 1), datetime(2025, 12, 31), timezones=st.just(UTC)), min_size=1, max_size=4)
)
def test_every_format_that_is_proposed_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[datetime]
) -> None:
    root = tmp_path_factory.mktemp("times")
    # Days above twelve settle the order of day and month.
    moments = [*drawn, *FIXED]
    sources = {}
    for number, (write, _) in enumerate(KINDS.values()):
        texts = [write(moment) for moment in moments]
        fit = fitting_formats(texts)[0]
        assert fit.share == 1.0, texts
        rows = "".join(f'{n},"{text}",visit\n' for n, text in enumerate(texts))
        write_raw(root, **{f"log{number}_csv": "lead,at,what\n" + rows})
        sources[f"log{number}"] = source_of(f"log{number}.csv", time_format=list(fit.formats))
    run_ingest(root, sources)
    for number, (kind, (_, exact)) in enumerate(KINDS.items()):
        read = [
            (at, lead) for name, lead, at in read_log(root, "source, lead_id, occurred_at") if name == f"log{number}"
        ]
        assert sorted(read) == sorted((cut(moment, exact), str(n)) for n, moment in enumerate(moments)), kind


def orders(write: Callable[[datetime], str], count: int = 120) -> str:
    """Write orders as a shop exports them: one lead an address, created with its first order."""
    lines = ["Name,Email,Created at,Paid at,Country"]
    for number in range(count):
        at = datetime(2026, 1, 3, 18, tzinfo=UTC) + timedelta(hours=37 * number)
        paid = f'"{write(at + timedelta(minutes=90))}"' if number % 3 == 0 else ""
        lines.append(
            f'#{1000 + number},buyer{number % 40}@example.org,"{write(at)}",{paid},{"NL" if number % 40 % 3 else "FR"}'
        )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", ["offset after a blank", "a spreadsheet's days"])
def test_leads_are_created_when_their_first_order_says(kind: str, tmp_path: Path) -> None:
    write, exact = KINDS[kind]
    project = empty_project(tmp_path).write(orders_csv=orders(write))
    propose(project, "raw", "--conversion", "paid")
    assert not project.accounts()["leads"]["set_aside"]
    first = cut(datetime(2026, 1, 3, 18, tzinfo=UTC), exact)
    created = dict(project.leads("lead_id, created_at"))
    assert created == {f"buyer{n}@example.org": first + timedelta(hours=37 * n) for n in range(40)}


def test_a_query_reads_times_as_a_table_does(tmp_path: Path) -> None:
    project = SmallProject(tmp_path).write(
        log_csv="lead,at,what\nA,2026-01-03 19:00:00 +0100,visit\nA,13.01.26 08:30,visit\n"
    )
    query = 'SELECT lead, coalesce(moment("at", \'iso\'), moment("at", \'%d.%m.%y %H:%M\')) AS "at", what FROM raw'
    source = {name: part for name, part in source_of().items() if name != "path"} | {"query": query}
    project.set({"log": source}, tables={"raw": {"path": "log.csv"}}, leads=None)
    assert project.ingest().code == 0
    assert project.log("occurred_at") == [(moment_of("2026-01-03 18:00"),), (moment_of("2026-01-13 08:30"),)]


def test_a_shop_s_orders_are_read_as_they_are_proposed(tmp_path: Path) -> None:
    project = case("shopify-offsets", tmp_path)
    propose(project, "data/exports")
    accounts = project.accounts()
    assert accounts["leads"]["set_aside"] == {}
    assert accounts["leads"]["used"] == 40
    assert min(at for (at,) in project.leads("created_at")) == moment_of("2026-01-03 18:00")
    assert yaml.safe_load((project.root / "params.yaml").read_text())["ingest"]["leads"]["query"]
