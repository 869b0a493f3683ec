"""What ``leadcast push`` and ``leadcast crm`` do in a project's folder: settings, guard and lock around a delivery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice

from features.core.errors import DeliveryError, InputError, LeadcastError, SettingsError, nearest
from pipeline.core.project import Progress, Project, sole
from pipeline.delivery import rehearsal, status
from pipeline.delivery import undo as undoing
from pipeline.delivery.guard import newest_scores, objections, suspended
from pipeline.delivery.ledger import LEDGER, Ledger
from pipeline.delivery.push import Options, Pushed, Scores, deliver
from pipeline.delivery.records import select, wanted_of
from pipeline.delivery.rehearsal import Rehearsal
from pipeline.delivery.status import State
from pipeline.settings.parameters import Parameters
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import LaterError, Sink, WholeBatchError

_LOOKED_AT = 1_000
"""Leads, the best of the newest scores, that ``check`` looks for."""
_SECRETS = {"odoo": "key", "hubspot": "token", "salesforce": "token", "sql": "database", "rest": "secret"}
"""The setting of each kind of sink that names the variable with its user's key."""


def settings_of(parameters: Parameters) -> Push:
    """Give the section ``push``; raises SettingsError where there is none."""
    if parameters.push is None:
        raise SettingsError(
            "params.yaml has no section 'push:', so nobody takes the scores; begin with push: {sink: {kind: files}}, "
            "and see docs/push.md for databases and CRMs"
        )
    return parameters.push


@contextmanager
def opened(project: Project[Parameters], push: Push | None = None) -> Iterator[tuple[Push, Sink, Ledger]]:
    """Open sink and ledger for one command that writes; raises InputError where another is at work."""
    settings = push or settings_of(project.parameters)
    with sole(project), _ended():
        sink = connect(settings, project.root)
        with Ledger(project.root / LEDGER) as ledger:
            yield settings, sink, ledger


@contextmanager
def _ended() -> Iterator[None]:
    """Turn what a sink would have asked again, or halved, into a failure: outside of a push nobody does so."""
    try:
        yield
    except (LaterError, WholeBatchError) as error:
        raise DeliveryError(f"the system does not do what it is asked: {error}; try again later") from None


def push(project: Project[Parameters], champion: str | None, progress: Progress, options: Options) -> Pushed:
    """Push the newest recommendations, of the ``champion`` (a model_version) where there is one.

    Raises what the guard does, and DeliveryError where the system takes no more.
    """
    with opened(project) as (settings, sink, ledger):
        scores, found = _judged(settings, project, champion)
        if found and options.forced is None:
            told = [*map(str, found), "to push all the same, give the reason, which is kept: --force 'why'"]
            raise type(found[0])("; and ".join(told))
        refuse_unready(sink)
        if not found:
            options = replace(options, forced=None)  # nothing had to be overruled
        return deliver(settings, sink, ledger, scores, suspended(project, scores, progress), options, progress)


def rehearse(
    project: Project[Parameters],
    champion: str | None,
    progress: Progress,
    options: Options,
    *,
    everything: bool = False,
) -> tuple[list[str], Rehearsal]:
    """Do all of a push but the writing; what the guard would refuse is told, and comes first.

    Gives the first leads in full, or ``everything``.
    """
    with opened(project) as (settings, sink, ledger):
        scores, found = _judged(settings, project, champion)
        refuse_unready(sink)
        return [*map(str, found)], rehearsal.rehearse(
            settings,
            sink,
            ledger,
            scores,
            suspended(project, scores, progress),
            options,
            progress,
            everything=everything,
        )


def undo(project: Project[Parameters], progress: Progress, run: str) -> Pushed:
    """Put back what a run overwrote, except where it has been changed since."""
    with opened(project) as (settings, sink, ledger):
        refuse_unready(sink)
        return undoing.undo(settings, sink, ledger, run, progress)


def setup(project: Project[Parameters], variable: str | None = None, login: str | None = None) -> list[str]:
    """Make the fields that are missing; says what was made.

    ``variable`` names the environment variable that holds the key of somebody who may do so, an administrator;
    ``login`` is that user's, where the system asks for it.
    """
    with opened(project, _as_user(settings_of(project.parameters), variable, login)) as (_, sink, ledger):
        # What a missing field held is gone, and nobody has emptied it; said before, for setup may be cut short.
        ledger.forget_fields(sink.name, sink.missing())
        return sink.setup()


def _as_user(push: Push, variable: str | None, login: str | None) -> Push:
    """Give the settings with another user's key."""
    changes = {_SECRETS.get(push.sink.kind): f"${variable.strip('${}')}"} if variable else {}
    changes |= {"user": login} if login else {}
    if not changes:
        return push
    unknown = sorted({str(name) for name in changes} - set(type(push.sink).model_fields))
    if unknown:
        raise SettingsError(f"{push.sink.kind} knows no {'login' if login else 'key'} of another user; leave it out")
    sink = type(push.sink).model_validate(push.sink.model_dump(exclude_unset=True) | changes)
    return push.model_copy(update={"sink": sink})


def check(project: Project[Parameters]) -> list[str]:
    """Say that the sink is ready, and how many of the leads that would be pushed it sees.

    Raises DeliveryError with all problems; that a rule hides leads from our user is one.
    """
    push = settings_of(project.parameters)
    with _ended():
        sink = connect(push, project.root)
        refuse_unready(sink)
        told = [f"{sink.name} is ready"]
        if not sink.reads or not any(project.scores.glob("as_of=*")):
            return told
        scores = newest_scores(project, None)
        keys = [
            one.key
            for one in islice(chain.from_iterable(wanted_of(scores.path, push, select((), 1.0), {})), _LOOKED_AT)
        ]
        seen = sum(
            len(sink.read(keys[first : first + sink.batch_size])) for first in range(0, len(keys), sink.batch_size)
        )
        told.append(f"it shows {seen:,} of the {len(keys):,} best leads of the newest scores")
        rule = sink.unseen() if seen < len(keys) else None
        if rule is not None:
            raise DeliveryError(f"{told[1]}, for our user does not see all: {rule}")
        if not seen and keys:
            raise DeliveryError(f"{told[1]}; is push.sink.key_field right, and do our lead_ids stand in it?")
        return told


def state(
    project: Project[Parameters], *, retry: bool = False, everything: bool = False, lead: str | None = None
) -> tuple[int, State]:
    """Tell what was pushed, with some leads of each kind or ``everything``; or what is known of one ``lead``.

    With ``retry``, what was rejected or skipped is tried again by the next push.
    """
    if retry:
        with opened(project) as (_, sink, ledger):
            return ledger.revive(sink.name), status.state(ledger, sink.name, everything=everything, lead=lead)
    sink = connect(settings_of(project.parameters), project.root)
    with Ledger(project.root / LEDGER) as ledger:
        return 0, status.state(ledger, sink.name, everything=everything, lead=lead)


def release(project: Project[Parameters], lead: str, names: Sequence[str]) -> list[str]:
    """Take fields of a lead back from whoever has changed them: the next push writes them again.

    ``names`` are ours (tier ...), all where there are none; gives the system's. Raises InputError where no push had to
    do with the lead.
    """
    with opened(project) as (push, sink, ledger):
        unknown = sorted(set(names) - push.mapping.keys())
        if unknown:
            raise InputError(f"--field {unknown[0]}: no such field is pushed; {nearest(unknown[0], push.mapping)}")
        fields = [push.mapping[name] for name in names or push.mapping]
        if not ledger.forget_fields(sink.name, fields, lead):
            raise InputError(f"no push has had to do with the lead {lead!r}; write its lead_id letter by letter")
        return fields


def _judged(push: Push, project: Project[Parameters], champion: str | None) -> tuple[Scores, list[LeadcastError]]:
    """Find the scores, and what speaks against pushing them."""
    scores = newest_scores(project, champion)
    return scores, objections(push, project, scores, champion)


def refuse_unready(sink: Sink) -> None:
    """Raise DeliveryError where the sink is not ready, with all problems."""
    problems = sink.check()
    if problems:
        raise DeliveryError("\n  ".join([f"{sink.name} is not ready:", *problems]))
