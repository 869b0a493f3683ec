"""The columns of what is recommended of each lead, and of its history; ``docs/recommendations.md`` is made of them."""

from __future__ import annotations

from collections.abc import Mapping

from features.core.schema import CHANNELS, GROUPS, GUESSES, LIST_REASONS, LISTS, MATURITIES, TARGETS, TIERS, Field

LIST_CHANGES: Mapping[str, str] = {
    "new": "it was no open lead when the last list was made",
    "fact": "what became known of leads since, what people decided, and time that passed",
    "rules": "as fact, or the rules of decision, or what a conversion is worth; what they do is not told apart",
    "score": "what leads are foretold",
    "model": "as score; but the model is another one, and what it does is not told apart",
    "cut-offs": "the cut-offs of the tiers are others",
    "costs": "leads were measured to cost more, or less",
    "owners": "the table of owners says something else of the day, who owns a territory, or the time there",
    "capacity": "sales has more time on this day, or less",
    "unknown": "nobody noted what the last list rests on",
}
"""Why a lead came onto the list of sales, or left it; in this order each is put in the place of what it was."""
TIER_CHANGES: Mapping[str, str] = {
    "fact": "what became known of it, or people decided; or that a fact, a return or their word holds no longer",
    "data": "its probability, moved most by what was learned since of the time before",
    "time": "its probability, moved most by the time that passed",
    "behaviour": "its probability, moved most by what occurred since",
    "model": "its probability, moved most by another model; or there is another one, and nobody looked closer",
    "score": "its probability; nobody looked closer",
    **{step: LIST_CHANGES[step] for step in ("rules", "cut-offs")},
    "unknown": "nobody noted what the last tiers rest on",
}
"""Why a lead has another tier than at an earlier score: the last of these that moved it, as LIST_CHANGES are found."""
TRENDS: Mapping[str, str] = {
    "improving": "time and what it did raised its odds by a quarter or more",
    "steady": "they moved its odds by less",
    "declining": "they lowered its odds by a quarter or more",
    "not enough information": "it has no earlier score, or was no open lead then",
}
"""Which way a lead has gone since an earlier score; another model and corrected data are no trend of the lead."""
_QUARTERS = ("best", "second", "third", "last")
GRADES: Mapping[str, str] = {
    f"{letter}{figure}": f"who it is: {fit} quarter; what it did: {behaviour} quarter"
    for letter, fit in zip("ABCD", _QUARTERS, strict=True)
    for figure, behaviour in zip("1234", _QUARTERS, strict=True)
}
"""Who a lead is, by a letter, and what it did, by a figure; the best first."""

RECOMMENDATION: tuple[Field, ...] = (
    Field("lead_id", "VARCHAR", meaning="the lead, as the table of leads names it; an alias stands under its lead"),
    Field(
        "as_of",
        "TIMESTAMP",
        meaning="the moment of the decision: what became known at or after it counts nowhere",
        unit="UTC",
    ),
    Field(
        "probability",
        "DOUBLE",
        nullable=True,
        minimum=0.0,
        maximum=1.0,
        meaning="that it converts within snapshots.horizon from as_of on; calibrated: of those with 0.2 a fifth do",
        unit="share, from 0 to 1",
        empty="where the lead has ended",
    ),
    Field(
        "score",
        "DOUBLE",
        nullable=True,
        minimum=0.0,
        maximum=100.0,
        meaning="a hundred times the probability, for people and CRMs",
        unit="percent, from 0 to 100",
        empty="where the lead has ended",
    ),
    Field(
        "maturity",
        "VARCHAR",
        allowed=MATURITIES,
        meaning="how far it is, by what it did and how lately (decision.maturity), never by its probability",
        means={
            "cold": "neither hot nor warm",
            "warm": "a strong or medium act within warm_for, or acts on active_days days within hot_for",
            "hot": "a strong act within hot_for, or a fact that raises it",
        },
    ),
    Field(
        "tier",
        "VARCHAR",
        allowed=TIERS,
        meaning="what it is worth working on, whoever has time: as people said where a word of theirs holds; of "
        "several that fit, the first of this list",
        means={
            "customer": "it has converted, within decision.keep",
            "disqualified": "a fact closes it (closes) or it objects to everything, which no word outdoes; it lies "
            "outside the target, or it was lost, and is not due",
            "SQL": "its probability reaches the cut-off of sales, or a fact raises it; unless a later fact refuses it",
            "recycled": "it came back of late after a loss or a silence (decision.recycled), and is no SQL; or it was "
            "lost, and is due: its date to come back has come (recontact_on)",
            "MQL": "its probability reaches the cut-off of marketing, and it is none of the above",
            "IQL": "all others",
        },
    ),
    Field(
        "own_tier",
        "VARCHAR",
        nullable=True,
        meaning="what its tier would be without people's word",
        empty="where no word says the tier",
    ),
    Field(
        "word",
        "VARCHAR",
        nullable=True,
        meaning="what people said of it last, as far as it holds (ingest.decisions, decision.word), as in "
        "2026-03-05 SQL until 2026-04-01, by K2: budget approved; it may name people",
        empty="where no word holds",
    ),
    Field(
        "stage",
        "VARCHAR",
        nullable=True,
        meaning="what people decided last in this episode: a name of episodes.milestones, or of a fact that refuses",
        empty="where people have decided nothing in this episode",
    ),
    Field(
        "facts",
        "VARCHAR[]",
        meaning="what holds of it, the latest first: since which day of the company's (decision.time_zone), and the "
        "name under decision.facts, or what it does not agree to, as in mail refused; then each rule that puts it "
        "outside the target",
        empty="a list of none where nothing holds",
    ),
    Field(
        "target",
        "VARCHAR",
        nullable=True,
        allowed=TARGETS,
        meaning="whether the company wants such leads at all (decision.out_of_target)",
        empty="where there is no rule",
        means={
            "in": "no rule puts it outside",
            "out": "a rule does: it is disqualified",
            "unknown": "an attribute that a rule asks for is missing, and no other rule puts it outside",
        },
    ),
    Field(
        "expected_value",
        "DOUBLE",
        nullable=True,
        meaning="its probability times what a conversion of it is worth (decision.money)",
        unit="ingest.currency",
        empty="where decision.money is not given",
    ),
    Field(
        "list",
        "VARCHAR",
        allowed=LISTS,
        meaning="who gets to see it today, on the company's day of as_of",
        means={
            "sales": "SQL that has a place today (decision.capacity, ingest.owners); or whatever is untouched",
            "marketing": "MQL or recycled, unless mail to it is closed",
            "none": "nobody: it waits, or list_reason says why",
        },
    ),
    Field(
        "rank",
        "BIGINT",
        nullable=True,
        minimum=1,
        meaning="its place among those worth an hour of sales today: who is untouched comes before all others, then "
        "those with whom a call was agreed on, then by expected_value or, without money, by probability; who waits for "
        "a place keeps its rank",
        unit="1 is the first",
        empty="where it is no SQL, or list_reason is in work, channel closed or account",
    ),
    Field(
        "list_reason",
        "VARCHAR",
        nullable=True,
        allowed=LIST_REASONS,
        meaning="why a lead that is worth an hour of sales gets none today; untouched marks one that gets one, too",
        empty="where it gets one, or is no SQL",
        means={
            "in work": "a fact says that somebody works on it already (taken)",
            "channel closed": "a fact closes the telephone, or the lead does not agree to calls",
            "agreed later": "people agreed on a later day for a call",
            "account": "another lead of its account is worth more, and one call an account is enough",
            "no owner": "nobody owns its territory today (ingest.owners)",
            "capacity": "the day's places, all or those of its territory or owner, are taken: by better ones, or by "
            "who had them on an earlier list of the day",
            "untouched": "it was handed over, and nobody has contacted it within the agreed time (decision.work): it "
            "is at the head of the list, or waits where no place is left",
            "left alone": "so chance has decided (decision.lottery, lottery_group)",
        },
    ),
    Field(
        "lottery_group",
        "VARCHAR",
        nullable=True,
        allowed=GROUPS,
        meaning="what chance decides of it (decision.lottery), for ever the same",
        empty="where it is not drawn, asked for something, is in work, refused, closed, can't be called, or has a word",
        means={
            "worked": "on the list of sales whatever its tier",
            "left alone": "on no list of sales",
            "as usual": "on the list where it is worth it",
        },
    ),
    Field(
        "owner",
        "VARCHAR",
        nullable=True,
        meaning="who owns its territory on the company's day of as_of (ingest.owners)",
        empty="where nobody does, or the lead has ended",
    ),
    Field(
        "grade",
        "VARCHAR",
        nullable=True,
        allowed=tuple(GRADES),
        means=GRADES,
        meaning="who it is, A to D, and what it did, 1 to 4: the quarter of what either adds to its log-odds, beside "
        "the leads that were learned from; A1 is best in both, and the probability knows how both go together",
        empty="of leads that are not explained, and where leads are alike in one of both",
    ),
    Field(
        "reasons_for",
        "VARCHAR[]",
        meaning="up to five: what speaks for it, since when, at how many leads we looked when it held for them, and "
        "after which share of these they converted, each lead counting once. Strong acts come first, amounts last; of "
        "an event type there are two, none of ours. Explained are today's list of sales and the tiers of reasons_for",
        empty="a list of none of leads that are not explained, or where nothing speaks for it",
    ),
    Field(
        "reasons_against",
        "VARCHAR[]",
        meaning="up to three: what speaks against it, told as what speaks for it; last, and once, what it never did",
        empty="a list of none of leads that are not explained, or where nothing speaks against it",
    ),
    Field(
        "reasons",
        "VARCHAR[]",
        meaning="the first three of both, in the same order, behind `raises: ` or `lowers: `",
        empty="a list of none where both are",
    ),
    Field(
        "tier_before",
        "VARCHAR",
        nullable=True,
        meaning="its tier at the last score; for the stage, as it would have been recommend.compare_to before as_of",
        empty="where it is the same, or there was no score of it then",
    ),
    Field(
        "tier_changed",
        "VARCHAR",
        nullable=True,
        allowed=tuple(TIER_CHANGES),
        means=TIER_CHANGES,
        meaning="why its tier is another: the last of these that moved it, as list_changed is found",
        empty="where tier_before is",
    ),
    Field(
        "trend",
        "VARCHAR",
        nullable=True,
        allowed=tuple(TRENDS),
        means=TRENDS,
        meaning="which way it has gone since compared_with",
        empty="of leads that are not explained, unless recommend.reasons_for names tier_before",
    ),
    Field(
        "what_changed",
        "VARCHAR",
        nullable=True,
        meaning="from which tier to which it moved since compared_with, or how its probability did; the strongest "
        "cause, and whether data or another model had a part",
        empty="where trend is, or says that there is not enough information; and so are the next five",
    ),
    Field(
        "compared_with",
        "TIMESTAMP",
        nullable=True,
        meaning="the moment of the earlier score: for the stage, recommend.compare_to before as_of, by the same model",
        unit="UTC",
        empty="where what_changed is",
    ),
    Field(
        "change_data",
        "DOUBLE",
        nullable=True,
        meaning="what is known today of the time before, and was not then; the four parts add up to the whole change",
        unit="log-odds",
        empty="where what_changed is, and where the earlier model is gone: change_model holds both then",
    ),
    Field(
        "change_time",
        "DOUBLE",
        nullable=True,
        meaning="what the time since does by itself, as if nothing had occurred in it",
        unit="log-odds",
        empty="where what_changed is",
    ),
    Field(
        "change_behaviour",
        "DOUBLE",
        nullable=True,
        meaning="what did occur since",
        unit="log-odds",
        empty="where what_changed is",
    ),
    Field(
        "change_model",
        "DOUBLE",
        nullable=True,
        meaning="what another model says otherwise; 0 where it is the same",
        unit="log-odds",
        empty="where what_changed is",
    ),
    Field(
        "recontact_on",
        "DATE",
        nullable=True,
        meaning="from which day of the company's on to come back to a lead that was lost, or is open and quiet (it did "
        "nothing itself for longer than decision.recycled.silence, is no SQL, and nobody works on it): by the months "
        "since the loss, or the last act, most contacted then convert; where too few came back, it is recontact.pause "
        "later. A day that is past means now; of a loss for 30 days, and then it is not said",
        empty="for all others, and where recontact_why says to close it",
    ),
    Field(
        "recontact_why",
        "VARCHAR",
        nullable=True,
        meaning="what recontact_on rests on, or why the lead is to be closed: how many that were lost for the same "
        "reason (the content of the event that says the loss) came back, and when",
        empty="for all others",
    ),
    Field(
        "action",
        "VARCHAR",
        meaning="what to do next, as a code: the first rule of decision.actions that fits the lead, and one of whose "
        "channels is open to it",
    ),
    Field(
        "channel",
        "VARCHAR",
        nullable=True,
        allowed=CHANNELS,
        meaning="through which open channel to do it: one that the lead has answered to (decision.answers), if to any",
        empty="where the action needs none",
        means={"mail": "we write", "telephone": "we call", "advertising": "we show it advertisements"},
    ),
    Field("next_step", "VARCHAR", meaning="action and channel in words, with the day to wait until"),
    Field(
        "is_guess",
        "BOOLEAN",
        meaning="whether the model has learned from no lead of its kind: its probability is a guess then",
    ),
    Field(
        "guess",
        "VARCHAR",
        nullable=True,
        allowed=tuple(GUESSES),
        meaning="why it is a guess; of several, the first of this list",
        empty="where it is none",
        means=GUESSES,
    ),
    Field("model_version", "VARCHAR", meaning="the model that gave the probability, by its SHA-256"),
)
"""One row for each open lead, sorted by probability, the highest first, then by lead_id. Behind them, by lead_id, one
for each lead whose last episode has ended of late (decision.keep), or that was lost and has a date to come back that is
not over for longer: it has no probability, and its first fact says how it ended, as in 2026-03-05 lost."""

OTHER_HORIZON = Field(
    "probability_<horizon>",
    "DOUBLE",
    minimum=0.0,
    maximum=1.0,
    meaning="that it converts within another horizon, such as probability_60d: a column for each of "
    "train.other_horizons; a longer time never has a lower probability",
    unit="share, from 0 to 1",
)
"""Columns that stand behind ``probability`` where the model has other horizons."""
LIST_CHANGED = Field(
    "list_changed",
    "VARCHAR",
    nullable=True,
    allowed=tuple(LIST_CHANGES),
    meaning="why it came onto the list of sales since the last one, or left it: the last of these that moved it, each "
    "put in its turn in the place of what it was; a lead may be moved by what others do that want the same place",
    empty="where it is on the list as before, or is not as before, or there is no earlier list",
    means=LIST_CHANGES,
)
HISTORY: tuple[Field, ...] = (
    Field("run_id", "VARCHAR", meaning="the run of MLflow that trained the model"),
    Field("scored_at", "TIMESTAMP", meaning="when it was computed, by the clock", unit="UTC"),
    Field("created_at", "TIMESTAMP", meaning="when it was created, as the log said then", unit="UTC"),
    LIST_CHANGED,
)
"""What else the recommendations that ``leadcast score`` keeps have."""
