"""Which channel a source, a medium, click ids and a referrer make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from raw_logs import read_log, run_ingest, source_of, write_raw

from features.core.errors import SettingsError

TRAFFIC = {"traffic_source": "src", "traffic_medium": "med", "click_id": ["gclid", "page"], "referrer": "ref"}

CASES: tuple[tuple[str, str], ...] = (
    # source, medium, gclid, page, referrer
    ("google,cpc,,,", "SEA"),
    ("Google,CPC,,,", "SEA"),
    ("bing,paid_search,,,", "SEA"),
    (",,Cj0K,,", "SEA"),
    (",,,https://we.example/?a=1&msclkid=77,https://bing.com/", "SEA"),
    (",,,https://we.example/?wbraid=9#top,", "SEA"),
    ("google,organic,,,", "SEO"),
    ("duckduckgo,organic,,,", "SEO"),
    (",,,,https://www.google.co.uk/search?q=x", "SEO"),
    (",,,,android-app://com.google.android.googlequicksearchbox/", "SEO"),
    (",,,,https://de.search.yahoo.com/", "SEO"),
    ("facebook,cpc,,,", "paid social"),
    ("linkedin.com,paid,,,", "paid social"),
    (",paid_social,,,", "paid social"),
    ("newsite,cpc,,https://we.example/?fbclid=1,", "paid social"),
    (",,,https://we.example/?fbclid=1,https://l.facebook.com/", "social"),
    ("l.facebook.com,referral,,,", "social"),
    (",social,,,", "social"),
    (",,,,https://t.co/abc", "social"),
    ("newsletter,email,,,", "email"),
    ("mailchimp_june,,,,", "email"),
    (",,,,https://mail.google.com/", "email"),
    (",webinar,,,", "webinar"),
    ("partner,affiliate,,,", "affiliate"),
    ("dv360,display,,,", "display"),
    ("youtube,cpc,,,", "video"),
    ("youtube.com,referral,,,", "video"),
    ("promo,sms,,,", "sms"),
    ("firm,cpc,,,", "paid other"),
    ("blog.example,referral,,,", "referral"),
    (",,,,https://www.blog.example:8080/post?x=gclid=1", "referral"),
    ("(direct),(none),,,", "direct"),
    ("(direct),(not set),(not set),,", "direct"),
    (",,,https://we.example/?page=2,", "direct"),
    ("DIRECT_TRAFFIC,,,,", "direct"),
    (",,,,", "direct"),
    ("house,flyer,,,", "unmapped"),
    (",,,https://we.example/?notgclid=1,", "direct"),
)


def _run(root: Path, **changes: Any) -> Any:  # noqa: ANN401 - settings of any kind
    lines = "".join(f"A,2026-01-{n // 24 + 1:02}T{n % 24:02}:00,visit,{case}\n" for n, (case, _) in enumerate(CASES))
    write_raw(root, log_csv=f"lead,at,what,src,med,gclid,page,ref\n{lines}")
    return run_ingest(root, {"log": source_of(columns=TRAFFIC)}, **changes)


def test_the_default_rules_give_the_channel_that_one_expects(tmp_path: Path) -> None:
    summary = _run(tmp_path)
    found = [channel for (channel,) in read_log(tmp_path, "channel")]
    assert list(zip([case for case, _ in CASES], found, strict=True)) == list(CASES)
    unmapped = summary.sources["log"].unmapped_channels
    assert unmapped is not None
    assert (unmapped.rows, unmapped.share, unmapped.frequent) == (1, 1 / len(CASES), [["house", "flyer", 1]])
    assert not any("no rule gives" in warning for warning in summary.warnings)


def test_own_rules_replace_the_default_ones_and_the_first_that_fits_counts(tmp_path: Path) -> None:
    rules = [
        {"channel": "brand", "traffic_source": ["GOOGLE"], "traffic_medium": ["*P*"]},
        {"channel": "typed", "traffic_source": ["(direct)"], "traffic_medium": [""]},
        {"channel": "ads", "click_id": ["GCLID"]},
        {"channel": "anything named", "traffic_source": ["*"]},
        {"channel": "per cent", "referrer": ["100%_*"]},
    ]
    write_raw(
        tmp_path,
        log_csv="lead,at,what,src,med,gclid,page,ref\n"
        "A,2026-01-01,v,google,cpc,,,\nA,2026-01-02,v,,,,,x.example\nA,2026-01-03,v,,,1,,\n"
        "A,2026-01-04,v,house,,,,\nA,2026-01-05,v,,email,,,\nA,2026-01-06,v,,organic,,,1000.example\n",
    )
    summary = run_ingest(tmp_path, {"log": source_of(columns=TRAFFIC)}, channels=rules)
    assert [channel for (channel,) in read_log(tmp_path, "channel")] == [
        "brand", "typed", "typed", "anything named", "unmapped", "unmapped",
    ]  # fmt: skip
    # A third of the rows has no channel, which is worth a warning.
    assert any("no rule gives 2 rows (33%) a channel" in warning for warning in summary.warnings)


def test_traffic_without_any_trace_is_direct_under_own_rules_too(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what,src,med,gclid,page,ref\nA,2026-01-01,v,(direct),(none),,,\nA,2026-01-02,v,,,1,,\n",
    )
    run_ingest(tmp_path, {"log": source_of(columns=TRAFFIC)}, channels=[{"channel": "x", "traffic_source": ["y"]}])
    assert read_log(tmp_path, "channel") == [("direct",), ("unmapped",)]


def test_a_channel_that_is_mapped_stays_as_it_is(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what,ch\nA,2026-01-01,v,google\nA,2026-01-02,v,\n")
    summary = run_ingest(tmp_path, {"log": source_of(columns={"channel": "ch"})})
    assert read_log(tmp_path, "channel") == [("google",), (None,)]
    assert summary.sources["log"].unmapped_channels is None


def test_a_channel_and_traffic_at_once_are_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises((SettingsError, ValueError), match="both say where it came from"):
        run_ingest(tmp_path, {"log": source_of(columns={"channel": "ch", "traffic_source": "src"})})
