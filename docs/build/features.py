"""The page of the features: what can be declared, with an example of each measure worked out by the code itself."""

from __future__ import annotations

import math

import yaml

from docs.build.markdown import page, table
from features.core.time import DAY
from features.language.catalogue import CONTEXT_MEANINGS
from features.language.feature import Feature
from features.language.filters import Filter
from features.language.measures import MEASURES, Measure
from features.language.words import describe
from pipeline.settings.features import DeclaredFeature

_INTRODUCTION = """\
# Features

A feature is a *measure* over the events that pass a *filter* within a *window*: how many forms in the last 30 days, how
long since the last call. It is computed for a lead at a moment, `as_of`, from what was known by then.

- An event counts if it was known before (`known_at < as_of`), and if it occurred in the window:
  `as_of - window <= occurred_at < as_of`. Without a window it may lie as far back as the log goes. Events that tell the
  outcome (`episodes.conversion`, `episodes.lost`) and those under `features.exclude_types` never count.
- The catalogue grows by itself: counts, sums, active days, recency and decayed counts of all events, and of each event
  type and each channel that is frequent enough; and recency and decayed counts of an event type about a content, as of
  downloads of one white paper. It follows what was seen before the last snapshot that is learned from
  and is kept with the model, so that an event type never seen in training changes no column. What is rare is pooled as
  `other`.
- Names are derived, never typed: the measure, what it takes, the filter, the window, as in `count__email_open__30d`.
  Where two would be alike, four hexadecimal digits of each declaration tell them apart.
- What each measure means to the last digit stands in plain Python, in
  [features/engines/reference.py](../features/engines/reference.py).

## Declaring your own

In `params.yaml`, under [`features.declared`](parameters.md#featuresdeclared); whose events count is `features.actors`:

```yaml
features:
  declared:
{declared}
```

Or in Python, by adding to `FEATURES` in `features/own.py`; there the filter says who acted:

```python
FEATURES = (
    Feature("momentum", window=7 * DAY, baseline=28 * DAY),
    Feature("count", Filter("call", actors=("lead", "us")), window=30 * DAY),
)
```

A declaration that makes no sense is refused with what to write instead. Then `dvc repro` (or `leadcast run --start
features`) computes it, and the model learns from it.

## Scopes

`scope: lead` looks at the lead's own events. `scope: account` looks at those of the *other* leads of its account
(`ingest.leads.columns.account_id`): an event counts once both it and its lead were known. A lead without an account has
no others. The time grows with an account's leads times its events: leave accounts that are none empty, such as the
domain of a mail provider.

## Where a value comes from

```
leadcast explain count__quote_request__30d --lead L000042
```

tells the value at the end of the log (or `--as-of 2026-03-01`), in words and as a number, and lists the lead's events:
which were counted, and of the others the first reason why not: not known until a later moment, outside the window, of
another type or channel, acted by us, at another hour. Of a measure of two parts it says which one an event counts in.
It calls everything by its name in the log; reasons and pages call it by the `words` of `params.yaml`.
"""

_DECLARED = (
    Feature("share", Filter(hours=(22, 6)), 28 * DAY),
    Feature("count", Filter("quote_request"), 30 * DAY, scope="account"),
)

EXAMPLES: dict[str, tuple[Feature, float | str]] = {
    name: (
        DeclaredFeature.model_validate({"measure": name} | measure.example[0]).feature(("lead",)),
        measure.example[1],
    )
    for name, measure in MEASURES.items()
}
"""A declaration of each measure, and a value that it may have."""

CONDITIONS = {
    "event_type": ("Only events of this type.", "event_type: quote_request"),
    "channel": ("Only events of this channel.", "channel: email"),
    "campaign": ("Only events of this campaign.", "campaign: spring"),
    "content": ("Only events about this: a page group, a white paper, a webinar.", "content: demo"),
    "actors": (
        "Whose acts count: `lead`, `us`, `system`; of all features in the settings alike (`features.actors`).",
        'Filter(actors=("lead", "us"))',
    ),
    "hours": (
        "Only events from the first hour up to, and without, the second, in the lead's time zone: here, at night.",
        "hours: [22, 6]",
    ),
    "weekdays": ("Only events of these days of the week, in the lead's time zone.", "weekdays: [sat, sun]"),
}
"""What each condition of a filter means, with an example."""


def features_page() -> str:
    """Give the text of ``docs/features.md``."""
    declared = "\n".join(f"    - {as_settings(feature)}" for feature in _DECLARED)
    conditions = [[f"`{name}`", meaning, f"`{example}`"] for name, (meaning, example) in CONDITIONS.items()]
    context = [[f"`{name}`", meaning] for name, meaning in CONTEXT_MEANINGS.items()]
    return page(
        "features/language/measures.py and docs/build/features.py",
        _INTRODUCTION.replace("{declared}", declared),
        "## Filters\n\nAn event has to meet all conditions that are given. Without any, every act of the lead counts.",
        table(["condition", "meaning", "example"], conditions),
        "## Measures",
        "Each takes a filter, a scope and what is listed; what is **bold** it needs. *Never* is its value of no event.",
        table(["measure", "meaning", "unit", "never", "takes"], [_row(measure) for measure in MEASURES.values()]),
        *(_example(measure) for measure in MEASURES.values()),
        "## Columns that no event is counted for\n\nEvery matrix begins with these, of the snapshot itself:",
        table(["column", "meaning"], context),
        "Then come the attributes of `ingest.leads.attributes`, named as in `lead__country`.",
    )


def as_settings(feature: Feature) -> str:
    """Write a declaration as it stands in the settings, where ``features.actors`` says who acts."""
    given = {name: value for name, value in feature.to_json().items() if value is not None and name != "actors"}
    return yaml.safe_dump(given, sort_keys=False, default_flow_style=True, width=10_000).strip()


def _row(measure: Measure) -> list[str]:
    takes = [f"**{name}**" if name in measure.needs else name for name in measure.takes]
    never = "missing" if math.isnan(measure.never) else f"{measure.never:g}"
    return [f"`{measure.name}`", measure.meaning, measure.unit, never, ", ".join(takes)]


def _example(measure: Measure) -> str:
    feature, value = EXAMPLES[measure.name]
    shown = value if isinstance(value, str) else f"{value:g}"
    return (
        f"### `{measure.name}`\n\n"
        f"```yaml\n- {as_settings(feature)}\n```\n\n"
        f"is the column `{feature.slug}`; a value of {shown} reads: *{describe(feature, value)}*."
    )
