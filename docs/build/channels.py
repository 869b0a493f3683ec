"""The page of the default channel rules, from the rules themselves."""

from __future__ import annotations

from docs.build.markdown import page, table
from pipeline.reading.channels import DEFAULT, DIRECT, PLACEHOLDERS, UNMAPPED

_INTRODUCTION = f"""\
# Channels

A source that maps `traffic_source`, `traffic_medium`, `click_id` or `referrer` (see [parameters](parameters.md)) gets
its channel from rules: `ingest.channels`, or the rules of this page where that is not given. A source that maps
`channel` keeps it as it is.

- The first rule that fits counts. A rule fits where each field that it states has one of its texts.
- Texts are compared without regard to case. `*` stands for any letters, but not for a missing text; `""` is a missing
  one, and so are {", ".join(f"`{text}`" for text in PLACEHOLDERS)}.
- Of a referrer only the host is compared, without `www.`.
- A click id is there if a mapped column is named after it and holds something, or if a mapped column holds an address
  with it (`?gclid=...`).
- Where source, medium, click ids and referrer are all missing, the channel is `{DIRECT}`.
- Where no rule fits it is `{UNMAPPED}`. `data/ingest.json` counts these rows, with the most frequent sources and
  mediums; more than a fifth of a source's rows are a warning.

A visit from page to page of your own site has your own host as its referrer, and would be a referral. Put a rule before
the others, as in `{{channel: direct, referrer: [example.com, "*.example.com"]}}`.

To change a rule, write all of them under `ingest.channels`: they replace those of this page.

The rules follow what Google publishes of its default channel groups
(<https://support.google.com/analytics/answer/9756891>) where both have the same channel, with the click ids of the ad
platforms and the names that other tools export.
"""


def channels_page() -> str:
    """Give the text of ``docs/channels.md``."""
    rows = [
        [
            str(number),
            rule.channel,
            *(
                " ".join(f"`{text}`" if text else '`""`' for text in texts)
                for texts in (rule.traffic_source, rule.traffic_medium, rule.click_id, rule.referrer)
            ),
        ]
        for number, rule in enumerate(DEFAULT, start=1)
    ]
    listed = table(["", "channel", "traffic_source", "traffic_medium", "click_id", "referrer"], rows)
    return page("pipeline/reading/channels.py", _INTRODUCTION, listed)
