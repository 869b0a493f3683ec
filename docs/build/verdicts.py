"""The page of the verdicts, from the one list of them."""

from __future__ import annotations

from docs.build.markdown import page, table
from features.timeline.outcome_holes import FAR_LONGER, LEAST, MOST
from models.core.verdicts import KINDS
from models.evaluation.checks import FAR_OFF, FEWEST_LEADS, FEWEST_TREES, OFF, TOO_GOOD
from models.evaluation.drift import ANOTHER_WORLD, LARGE, OTHER_RATE, USUAL
from models.evaluation.written import SUSPECT
from pipeline.log.renamed import FEW_MISTYPED, MOST_MISTYPED

_INTRODUCTION = """\
# Verdicts

`evaluate` gathers what may be wrong with a model and with what it learned from into one list, `reports/verdicts.json`
(code, title, severity, evidence, what to do). It stands first in `reports/summary.txt`, on `reports/model.html` and
on the model card in MLflow; `leadcast verdicts` prints it, and `leadcast doctor` shows it, with what the log alone
shows even before there is a model.

- **wrong**: nobody should act on the result. All stages run, but the model becomes neither champion nor challenger,
  and loses the alias where it had it; `leadcast run`, `leadcast verdicts` and `leadcast score --as-of` end with [exit
  code 10](commands.md#exit-codes). `make run` then says `Error 10`, while make itself ends with its own code, 2.
- **doubtful**: look before you act.
- **told**: good to know.

What you know to be harmless is acquitted, by its code, with your reason; the reason is shown with it everywhere:

```yaml
evaluate:
  acquitted:
    feature_drift: a new web shop since March
```

Those whose codes begin with `promise_`, and what has *moved* or is *new*, are findings of [`leadcast
monitor`](monitoring.md): they stand in `reports/monitor.json`, change no alias, and are lifted there, not acquitted.

Where there are several of a code, `code:subject` means one of them: `column_knows_outcome:country`. Then run
`leadcast evaluate` (or `dvc repro`) again: it gives the alias.
"""
_RULES = f"""\
## By which rule

Rows of one lead are no independent witnesses, so chance is taken account of over leads; intervals are of 95 %.

- *No better than the base rate*: the log loss of what was foretold is not below that of a constant, the share that
  converted of all that was learned from, or of its newest quarter, whichever foretells better. Wrong, too, where
  the interval of the difference holds 0 and the order of the leads is no better than a coin's; doubtful where only
  the former holds.
- *Ranks no better than a coin*: the interval of the ROC AUC begins at 0.5 or below. Doubtful where the log loss is
  surely below the base rate's.
- *Next to nothing was learned*: trees times learning rate, in trees of the default learning rate, are fewer than
  {FEWEST_TREES}: ten trees of ten times the rate are worth a hundred. Doubtful where the log loss is surely below the
  base rate's, else wrong.
- *The sum of the promises is not what happened*: expected and happened conversions at the origins differ by more
  than {OFF:g} times, and not by chance; wrong where that holds of {FAR_OFF:g} times.
- *Too good to be true*: a ROC AUC of {TOO_GOOD} or more; doubtful where its interval begins below.
- *A column that knows the outcome*: an attribute that alone has a ROC AUC of {SUSPECT} or more among leads that were
  created at about the same time. Doubtful where chance may have helped.
- *An event type that knows the outcome*: leads that have it neither convert nor are lost within the horizon, where
  others of the same age do.
- *Leads are not what they were*: the population stability index of a column from what the first origin learned from to
  what was foretold is at least {LARGE}, and more than {USUAL:g} times that from the first half of what it learned
  from to the second, or {ANOTHER_WORLD:g} and more.
- *More or fewer convert than before*: the share of what was foretold lies {OTHER_RATE:g} times beyond those of the
  quarters of what was learned from.
- *Months without a conversion*: at least {LEAST} days in which a source has none, where leads of such ages would have
  brought so many that chance leaves them out less than once in 1,000 logs; and {FAR_LONGER:g} times beyond the other
  silences of the source, each by what was due in it, and than chance lets them be. What was as silent in the same weeks
  of another year is the way of a company, and none; up to {MOST} are told.
- *A named event type may be called otherwise by now*: a type that nobody names has the letters of one that the
  settings name, from the same source; wrong where {FEW_MISTYPED} leads and more, and more than {MOST_MISTYPED:.0%} of
  those who have either since it came, have it. Or a conversion or loss is silent by its own rhythm, as a source is, and
  {FAR_LONGER:g} times longer than ever, while its source goes on. A night tells, too, of what came after the champion
  had learned, in a source most of whose events are ends; it refuses what is wrong, and not acquitted.
- *Not judged*: there is no origin (`train.origins: 0`, or too short a log), or fewer than {FEWEST_LEADS} leads convert
  after them, or don't. Nothing is wrong then, and nothing is known: the model becomes the
  champion only where somebody says why (`leadcast promote --force --why`).
"""


def verdicts_page() -> str:
    """Give the text of ``docs/verdicts.md``."""
    rows = [
        [f"`{kind.code}`", kind.title, kind.severity, f"{kind.remedy[0].upper()}{kind.remedy[1:]}."]
        for kind in KINDS.values()
    ]
    listed = table(["code", "what it says", "severity", "what to do"], rows)
    return page("models/core/verdicts.py", _INTRODUCTION, "## The list", listed, _RULES)
