"""What ``leadcast push`` and ``leadcast crm`` do in a project's folder: settings, guard and lock around a delivery."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from features.core.errors import DeliveryError, InputError, LeadcastError, SettingsError
from pipeline.core.project import Progress, Project
from pipeline.delivery import rehearsal, status
from pipeline.delivery import undo as undoing
from pipeline.delivery.guard import newest_scores, objections, suspended
from pipeline.delivery.ledger import LEDGER, Ledger
from pipeline.delivery.push import Options, Pushed, Scores, deliver
from pipeline.delivery.rehearsal import Rehearsal
from pipeline.delivery.status import State
from pipeline.settings.parameters import Parameters
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import LaterError, Sink, WholeBatchError

LOCK = Path("data/push/.lock")


def settings_of(parameters: Parameters) -> Push:
    """Give the section ``push``; raises SettingsError where there is none."""
    if parameters.push is None:
        raise SettingsError(
            "params.yaml has no section 'push:', so nobody takes the scores; begin with push: {sink: {kind: files}}, "
            "and see docs/push.md for databases and CRMs"
        )
    return parameters.push


@contextmanager
def opened(project: Project[Parameters]) -> Iterator[tuple[Push, Sink, Ledger]]:
    """Open sink and ledger for one command that writes; raises InputError where another is at work."""
    push = settings_of(project.parameters)
    (project.root / LOCK).parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(project.root / LOCK, timeout=0), _ended():
            sink = connect(push, project.root)
            with Ledger(project.root / LEDGER) as ledger:
                yield push, sink, ledger
    except Timeout:
        raise InputError("another push is at work in this folder; wait until it is done, then run again") from None


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
    project: Project[Parameters], champion: str | None, progress: Progress, options: Options
) -> tuple[list[str], Rehearsal]:
    """Do all of a push but the writing; what the guard would refuse is told, and comes first."""
    with opened(project) as (settings, sink, ledger):
        scores, found = _judged(settings, project, champion)
        refuse_unready(sink)
        return [*map(str, found)], rehearsal.rehearse(
            settings, sink, ledger, scores, suspended(project, scores, progress), options, progress
        )


def undo(project: Project[Parameters], progress: Progress, run: str) -> Pushed:
    """Put back what a run overwrote, except where it has been changed since."""
    with opened(project) as (settings, sink, ledger):
        refuse_unready(sink)
        return undoing.undo(settings, sink, ledger, run, progress)


def setup(project: Project[Parameters]) -> list[str]:
    """Make the fields that are missing; says what was made."""
    with opened(project) as (_, sink, ledger):
        made = sink.setup()
        # What a field held before it was made anew is gone, and nobody has emptied it.
        ledger.forget_fields(sink.name, [one.field for one in made if one.field])
        return [one.told for one in made]


def check(project: Project[Parameters]) -> str:
    """Give the name of the sink if it is ready; raises DeliveryError with all problems."""
    with _ended():
        sink = connect(settings_of(project.parameters), project.root)
        refuse_unready(sink)
        return sink.name


def state(project: Project[Parameters], *, retry: bool, everything: bool) -> tuple[int, State]:
    """Tell what was pushed, with some leads of each kind or ``everything``.

    With ``retry``, what was rejected or skipped is tried again by the next push.
    """
    if retry:
        with opened(project) as (_, sink, ledger):
            return ledger.revive(sink.name), status.state(ledger, sink.name, everything=everything)
    sink = connect(settings_of(project.parameters), project.root)
    with Ledger(project.root / LEDGER) as ledger:
        return 0, status.state(ledger, sink.name, everything=everything)


def _judged(push: Push, project: Project[Parameters], champion: str | None) -> tuple[Scores, list[LeadcastError]]:
    """Find the scores, and what speaks against pushing them."""
    scores = newest_scores(project, champion)
    return scores, objections(push, project, scores, champion)


def refuse_unready(sink: Sink) -> None:
    """Raise DeliveryError where the sink is not ready, with all problems."""
    problems = sink.check()
    if problems:
        raise DeliveryError("\n  ".join([f"{sink.name} is not ready:", *problems]))
