"""The page of the recommendations: each column, from the schema that they are written and checked by."""

from __future__ import annotations

from docs.build.markdown import anchor, page, table
from features.core.recommendation import HISTORY, OTHER_HORIZON, RECOMMENDATION
from features.core.schema import TIERS, Field
from models.decision.actions import ACTIONS
from models.decision.tiers import WHO_DOES_WHAT

_INTRODUCTION = """\
# Recommendations

One row for each lead that is open at a moment, the highest probability first:

- `data/recommendations.parquet` and, for a spreadsheet, `data/recommendations.csv`: of the newest model, at
  `recommend.as_of`. The CSV opens right in a spreadsheet of `words.language` (in French `;` parts the cells and `,` the
  decimals): numbers have four digits behind the sign, lists are one text, parted by `; `, times end in `Z`, and the
  model stands in `data/scoring.json` alone. The parts of a change are in the Parquet file alone.
- `data/scores/as_of=MOMENT/model=VERSION/recommendations.parquet`: of the champion, at each moment that
  `leadcast score` was called for. Nothing is overwritten but by a second call for the same moment and model. Beside it,
  `decided.json` has what `data/scoring.json` has, and what changed since the last list.

`data/scoring.json` has what they add up to, the cut-offs of the tiers and what these rest on. `leadcast lead ID` shows
one lead with its past. How decisions are made is set under [`decision`](parameters.md#decision).
"""
_FIGURES = """\
## The figures of a reason

The model was learned from looks at leads, the rows of `data/features.parquet`: each says what was known of a lead at a
moment, and whether a conversion followed within the horizon (`label`). Of those looks at a lead of which something
holds, some share was followed by one; what is told is the mean of these shares over the leads, so that each counts
once, however often it was looked at. Plain SQL gives the same, here for a lead that asked for a quote within 30 days:

```sql
SELECT count(*) AS leads, avg(share) AS mean_by_lead
FROM (SELECT lead_id, avg(label::INT) AS share
      FROM 'data/features.parquet'
      WHERE days_since_last__quote_request < 30
      GROUP BY lead_id)
```

*Of all* is the same without the condition. What is missing is NaN: that it never was is `isnan(...)`, and that nothing
was for 30 days or more `>= 30 AND NOT isnan(...)`; of a text it is `IS NULL`. `claims` in `data/model/reference.json`
has each condition with its figures.
"""
_ACTIONS = """\
## What to do next

`action` is the code of the first rule of [`decision.actions`](parameters.md#decision) that fits the lead, and one of
whose channels is open to it. Without rules of your own, who is on today's list of sales is called, and nobody else;
who is in work is left to its owner, and who lacks a place waits for one. Of others the tier says it; of a lead that was
lost or is quiet it is the date to come back. A rule may ask for tier, maturity, list, the reason for which a lead is
not on it (`list_reason`), facts, the last act, the last content, and that date; one that `sends` a content leaves out
who has had it. These codes have words; those of your own are shown as words, `send_price_list` as send price list.
"""
_KINDS = {
    "BIGINT": "whole number",
    "BOOLEAN": "true or false",
    "DATE": "date",
    "DOUBLE": "number",
    "TIMESTAMP": "time",
    "VARCHAR": "text",
    "VARCHAR[]": "list of texts",
}


def recommendations_page() -> str:
    """Give the text of ``docs/recommendations.md``."""
    place = next(number for number, field in enumerate(RECOMMENDATION, 1) if field.name == "probability")
    columns = [*RECOMMENDATION[:place], OTHER_HORIZON, *RECOMMENDATION[place:]]
    tiers = [[f"`{tier}`", WHO_DOES_WHAT[tier]] for tier in TIERS]
    actions = [[f"`{code}`", words] for code, words in ACTIONS.items()]
    return page(
        "features/core/recommendation.py",
        _INTRODUCTION,
        "## Columns",
        _columns(columns),
        *(_values(field) for field in columns if field.means),
        _FIGURES,
        "## What a tier means",
        table(["tier", "whose it is"], tiers),
        _ACTIONS,
        table(["action", "in words, as a CRM is given them"], actions),
        "## Columns of the history alone",
        _columns(HISTORY),
        *(_values(field) for field in HISTORY if field.means),
    )


def _columns(fields: tuple[Field, ...] | list[Field]) -> str:
    head = ["column", "type", "unit", "meaning", "empty"]
    return table(
        head, [[_name(one), _KINDS[one.duckdb], one.unit, one.meaning, one.empty or "never"] for one in fields]
    )


def _name(field: Field) -> str:
    return f"[`{field.name}`](#{anchor(_heading(field))})" if field.means else f"`{field.name}`"


def _values(field: Field) -> str:
    rows = [[f"`{value}`", meaning] for value, meaning in field.means.items()]
    return f"## {_heading(field)}\n\n{table(['value', 'meaning'], rows)}"


def _heading(field: Field) -> str:
    return f"Values of `{field.name}`"
