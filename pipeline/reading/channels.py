"""Channels: what makes one of a traffic source, a medium, click ids and a referrer.

The default rules follow what Google publishes of its default channel groups (https://support.google.com/analytics/
answer/9756891) where both have the same channel, with the click ids of the ad platforms and the names that other
tools export.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.core.sql import literal
from pipeline.reading.texts import Columns, as_text, names, text
from pipeline.settings.ingest import ChannelRule, TrafficColumns
from pipeline.settings.types import Column, Constant

UNMAPPED, DIRECT = "unmapped", "direct"
PLACEHOLDERS = ("(direct)", "(none)", "(not set)")
"""What exports write where there is nothing."""

Rules = tuple[ChannelRule, ...] | None
"""The rules of the settings; without any, the default ones count."""

_PAID = ("*cp*", "ppc", "paid*", "*_paid", "*-paid", "retargeting", "remarketing", "ads", "ad")
_SEARCH_ENGINES = ("google", "bing", "yahoo", "duckduckgo", "baidu", "yandex", "ecosia", "qwant", "startpage", "ask",
    "aol", "naver", "seznam", "sogou", "daum", "kagi")  # fmt: skip
_SEARCH_HOSTS = ("google.*", "bing.*", "cn.bing.com", "duckduckgo.com", "html.duckduckgo.com", "search.yahoo.*",
    "*.search.yahoo.*", "yahoo.*", "baidu.com", "m.baidu.com", "yandex.*", "ya.ru", "ecosia.org", "qwant.com",
    "startpage.com", "search.brave.com", "ask.com", "search.aol.*", "search.naver.com", "m.search.naver.com",
    "search.seznam.cz", "sogou.com", "search.daum.net", "kagi.com", "com.google.android.googlequicksearchbox",
    )  # fmt: skip
_NETWORKS = ("facebook", "fb", "instagram", "ig", "meta", "linkedin", "twitter", "tiktok", "pinterest", "reddit",
    "snapchat", "threads", "whatsapp", "telegram", "quora", "xing", "vk", "mastodon", "bluesky")  # fmt: skip
_NETWORK_HOSTS = ("facebook.com", "*.facebook.com", "fb.com", "fb.me", "instagram.com", "*.instagram.com",
    "linkedin.com", "*.linkedin.com", "lnkd.in", "twitter.com", "*.twitter.com", "x.com", "t.co", "tiktok.com",
    "*.tiktok.com", "pinterest.*", "*.pinterest.com", "pin.it", "reddit.com", "*.reddit.com", "snapchat.com",
    "*.snapchat.com", "threads.net", "threads.com", "whatsapp.com", "*.whatsapp.com", "wa.me", "t.me", "quora.com",
    "*.quora.com", "xing.com", "vk.com", "bsky.app", "com.linkedin.android", "com.facebook.katana")  # fmt: skip
_VIDEO = ("youtube", "vimeo", "twitch", "dailymotion", "wistia")
_VIDEO_HOSTS = ("youtube.*", "*.youtube.com", "youtu.be", "vimeo.com", "*.vimeo.com", "twitch.tv", "*.twitch.tv",
    "dailymotion.com", "wistia.com", "*.wistia.com")  # fmt: skip
_MAIL_HOSTS = ("mail.google.com", "mail.yahoo.*", "*.mail.yahoo.*", "outlook.live.com", "outlook.office.com",
    "outlook.office365.com", "com.google.android.gm")  # fmt: skip
_SEARCH_CLICKS, _SOCIAL_CLICKS = ("gclid", "gbraid", "wbraid", "msclkid"), ("fbclid", "ttclid", "li_fat_id", "twclid")
_EMAIL = ("email*", "e-mail*", "e_mail*", "e mail*", "newsletter*", "mail")


_Texts = tuple[str, ...]


def _rule(
    channel: str, *, source: _Texts = (), medium: _Texts = (), click: _Texts = (), referrer: _Texts = ()
) -> ChannelRule:
    return ChannelRule(channel=channel, traffic_source=source, traffic_medium=medium, click_id=click, referrer=referrer)


DEFAULT: tuple[ChannelRule, ...] = (
    _rule("SEA", medium=("sea", "sem", "paidsearch", "paid search", "paid_search", "paid-search", "search_ads")),
    _rule("paid social", medium=("paidsocial", "paid social", "paid_social", "paid-social", "social_paid",
        "social-paid", "cpc_social", "social_cpc", "social ads", "social_ads")),
    _rule("SEA", source=(*_SEARCH_ENGINES, *_SEARCH_HOSTS, "adwords", "google ads", "google_ads", "googleads"),
        medium=_PAID),
    _rule("paid social", source=(*_NETWORKS, *_NETWORK_HOSTS), medium=_PAID),
    _rule("video", source=(*_VIDEO, *_VIDEO_HOSTS), medium=_PAID),
    _rule("webinar", medium=("webinar*",)),
    _rule("webinar", source=("webinar*", "gotowebinar*", "on24*", "livestorm*")),
    _rule("email", medium=_EMAIL),
    _rule("sms", medium=("sms*",)),
    _rule("sms", source=("sms",)),
    _rule("push", medium=("*push", "*mobile*", "*notification*")),
    _rule("affiliate", medium=("affiliate*", "affiliation")),
    _rule("display", medium=("display*", "banner*", "expandable", "interstitial", "cpm")),
    _rule("audio", medium=("audio", "podcast*")),
    _rule("paid social", click=_SOCIAL_CLICKS, medium=_PAID),
    _rule("SEA", click=_SEARCH_CLICKS),
    _rule("display", click=("dclid",)),
    _rule("paid other", medium=_PAID),
    _rule("social", medium=("social*", "social-network", "social-media", "sm", "organic_social", "organic social")),
    _rule("social", source=(*_NETWORKS, *_NETWORK_HOSTS)),
    _rule("social", click=_SOCIAL_CLICKS),
    _rule("video", medium=("*video*",)),
    _rule("video", source=(*_VIDEO, *_VIDEO_HOSTS)),
    _rule("email", source=(*_EMAIL, *_MAIL_HOSTS, "mailchimp*", "klaviyo*", "brevo*")),
    _rule("SEO", medium=("organic*", "seo")),
    _rule("SEO", source=(*_SEARCH_ENGINES, *_SEARCH_HOSTS)),
    # What HubSpot writes as the original source of a contact.
    _rule("SEO", source=("organic_search", "organic search")),
    _rule("SEA", source=("paid_search", "paid search")),
    _rule("paid social", source=("paid_social", "paid social")),
    _rule("social", source=("social_media", "organic_social", "organic social")),
    _rule("referral", source=("referrals", "ai_referrals")),
    _rule("direct", source=("direct_traffic", "direct traffic", "direct")),
    _rule("offline", source=("offline*",)),
    _rule("referral", medium=("referral*", "app", "link")),
    _rule("email", source=("",), medium=("",), referrer=_MAIL_HOSTS),
    _rule("SEO", source=("",), medium=("",), referrer=_SEARCH_HOSTS),
    _rule("social", source=("",), medium=("",), referrer=_NETWORK_HOSTS),
    _rule("video", source=("",), medium=("",), referrer=_VIDEO_HOSTS),
    _rule("referral", source=("",), medium=("",), referrer=("*",)),
)  # fmt: skip


def expressions(columns: TrafficColumns, channel: Column | None, raw: Columns) -> dict[str, str]:
    """Give what the channel is made of: itself, or where the traffic came from; in small letters, '' is missing."""
    if not columns.traffic():
        return {"channel": text(channel, raw)}
    host = f"regexp_extract({_tidy(columns.referrer, raw)}, {literal(_HOST)}, 1)"
    return {
        "traffic_source": _tidy(columns.traffic_source, raw),
        "traffic_medium": _tidy(columns.traffic_medium, raw),
        "click_id": _clicks(columns.click_id, raw),
        "referrer": f"regexp_replace({host}, '^www[.]', '')",
    }


def fields(columns: TrafficColumns, rules: Rules) -> dict[str, str]:
    """Keep the channel; where it was made, also what is told of traffic that no rule fits."""
    if not columns.traffic():
        return {"channel": "channel"}
    channel = _channel(DEFAULT if rules is None else rules)
    return {"channel": channel, "traffic_source": "traffic_source", "traffic_medium": "traffic_medium"}


_HOST = r"^(?:[a-z][a-z0-9+.-]*://|//)?(?:[^/?#@]*@)?([^/?#:]*)"
_ABSENT = ", ".join(map(literal, PLACEHOLDERS))


def _tidy(column: Column | None, raw: Columns) -> str:
    if column is None:
        return "''"
    value = f"lower(trim({text(column, raw)}))"
    return f"CASE WHEN {value} IN ({_ABSENT}) THEN '' ELSE coalesce({value}, '') END"


def _clicks(column: Column | None, raw: Columns) -> str:
    """Write ``name=value`` of each column: gclid=..., or an address that holds gclid=...; joined like an address."""
    if column is None or isinstance(column, Constant):
        return text(column, raw) if column else "''"
    parts = []
    for name in names(column):
        key = re.split(r"[.\[]", name.rstrip("]"))[-1]
        value = as_text(raw[name])
        parts.append(f"CASE WHEN {value} NOT IN ({_ABSENT}) THEN {literal(f'{key}=')} || {value} END")
    return f"lower(concat_ws('&', {', '.join(parts)}))"


def _channel(rules: Iterable[ChannelRule]) -> str:
    known = sorted({name.lower() for rule in (*rules, *DEFAULT) for name in rule.click_id})
    cases = " ".join(f"WHEN {_fits(rule)} THEN {literal(rule.channel)}" for rule in rules)
    nothing = f"traffic_source = '' AND traffic_medium = '' AND referrer = '' AND NOT {_has_click(known)}"
    return f"CASE {cases} WHEN {nothing} THEN '{DIRECT}' ELSE '{UNMAPPED}' END"


def _fits(rule: ChannelRule) -> str:
    stated = {name: getattr(rule, name) for name in ("traffic_source", "traffic_medium", "referrer")}
    conditions = [_is_one_of(name, wanted) for name, wanted in stated.items() if wanted]
    return " AND ".join([*conditions, _has_click(rule.click_id)] if rule.click_id else conditions)


def _is_one_of(name: str, wanted: Iterable[str]) -> str:
    """Compare with texts and with those that hold ``*``; the latter never fit what is missing."""
    tidy = ["" if item.lower() in PLACEHOLDERS else item.lower() for item in wanted]
    exact = [literal(item) for item in tidy if "*" not in item]
    parts = [f"{name} IN ({', '.join(exact)})"] if exact else []
    likes = [re.sub(r"([%_\\])", r"\\\1", item).replace("*", "%") for item in tidy if "*" in item]
    if likes:
        fitting = " OR ".join(f"{name} LIKE {literal(item)} ESCAPE '\\'" for item in likes)
        parts.append(f"({name} <> '' AND ({fitting}))")
    return f"({' OR '.join(parts)})"


def _has_click(ids: Iterable[str]) -> str:
    found = "|".join(re.escape(name.lower()) for name in ids)
    return f"regexp_matches(click_id, {literal(f'(?:^|[?&#;])(?:{found})=[^&#;]')})"
