"""The revisions that are kept of a pipeline, and which of them to go back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ragfleet_cli.errors import CliError
from ragfleet_cli.output import one_line
from ragfleet_operator.model import Object, Revisions, is_owned
from ragfleet_operator.names import PIN_ANNOTATION
from ragfleet_operator.render.concern import BESIDE_PODS
from ragfleet_operator.revisions import is_rolled_back, state_of
from ragfleet_operator.revisions.stored import read
from ragfleet_operator.status.reasons import IMAGE_OUTDATED, WORKLOAD_WAITS

_HEADINGS = ("REVISION", "ID", "CREATED", "IMAGE", "STATE", "DIFFERS IN")
_REASON_SHOWN = 60
_WAITING = frozenset({IMAGE_OUTDATED.word, WORKLOAD_WAITS.word})


@dataclass(frozen=True, slots=True)
class Entry:
    """A revision that is kept. created: RFC 3339. spec: the pipeline's as it was then, as JSON."""

    id: str
    number: int
    created: str
    image: str
    spec: Object

    def __str__(self) -> str:
        return f"revision {self.number} ({self.id})"


@dataclass(frozen=True, slots=True)
class History:
    """What is kept of a pipeline, by number, and what its status says of it.

    is_behind: whether the status is that of an earlier spec. waits: whether the spec can't be followed, so
    that what ran before it goes on. pin: the annotation as it stands.
    """

    name: str
    entries: tuple[Entry, ...]
    generation: int
    is_behind: bool = False
    waits: bool = False
    state: Revisions = field(default_factory=Revisions)
    pin: str = ""

    @property
    def pinned(self) -> str:
        """The id of the revision that is pinned; "" where none is, or the spec was edited since."""
        revision, at, generation = self.pin.partition("@")
        return revision if not at or generation == str(self.generation) else ""

    def entry(self, revision: str) -> Entry | None:
        """The revision of an id."""
        return next((entry for entry in self.entries if entry.id == revision), None)


def read_history(pipeline: Object, kept: Sequence[Object]) -> History:
    """The history of a pipeline. kept: ControllerRevisions; others' are passed over."""
    metadata, status = pipeline["metadata"], pipeline.get("status") or {}
    entries = [_entry(obj) for obj in kept if is_owned(obj, metadata["uid"])]
    return History(
        name=metadata["name"],
        entries=tuple(sorted((entry for entry in entries if entry), key=lambda entry: entry.number)),
        generation=metadata["generation"],
        is_behind=status.get("observedGeneration") != metadata["generation"],
        waits=any(condition["reason"] in _WAITING for condition in status.get("conditions") or ()),
        state=state_of(status),
        pin=(metadata.get("annotations") or {}).get(PIN_ANNOTATION, "").strip(),
    )


def find(history: History, wanted: str) -> Entry:
    """The revision of an id or a number. Raises CliError."""
    found = history.entry(wanted) or next(
        (entry for entry in history.entries if str(entry.number) == wanted), None
    )
    if found is None:
        raise CliError(f"{history.name} has no revision {one_line(wanted, 80)}: {_those_there_are(history)}")
    return found


def previous(history: History) -> Entry:
    """The revision to go back to: the last good one, else the newest before the one that runs.

    From an edit that isn't taken up yet, can't be, or was rolled back already, that is what runs. It is never
    one that was rolled back. Raises CliError.
    """
    state = history.state
    current = history.entry("" if history.is_behind else state.current)
    good = history.entry(state.last_good)
    if good is not None and (good != current or history.waits or is_rolled_back(state)):
        return good
    rejected = None if state.rejected is None else history.entry(state.rejected.revision)
    before = [
        entry
        for entry in history.entries
        if entry != rejected and (current is None or entry.number < current.number)
    ]
    if not before:
        others = len(history.entries) > 1
        way_out = "; another can be named with --to-revision" if others else ""
        raise CliError(f"{history.name} has nothing to go back to: {_those_there_are(history)}{way_out}")
    return before[-1]


def pin_value(entry: Entry, generation: int) -> str:
    """The annotation that holds a revision as long as the spec isn't edited."""
    return f"{entry.id}@{generation}"


def table(history: History) -> list[str]:
    """The revisions for people: a heading, and a line for each."""
    base = history.entry(history.state.current)
    rows = [
        _HEADINGS,
        *(
            (
                str(entry.number),
                entry.id,
                entry.created,
                entry.image,
                ", ".join(_states(history, entry)) or "-",
                ", ".join(_differing(entry, base)) or "-",
            )
            for entry in history.entries
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _entry(obj: Object) -> Entry | None:
    """The revision that a ControllerRevision keeps; None where it can't be read."""
    kept = read(obj)
    if kept is None:
        return None
    return Entry(kept.id, kept.number, obj["metadata"]["creationTimestamp"], kept.image, kept.spec)


def _those_there_are(history: History) -> str:
    if not history.entries:
        return "none is kept of it yet"
    return "there are " + ", ".join(
        f"{entry.number} ({', '.join([entry.id, *_states(history, entry)])})" for entry in history.entries
    )


def _states(history: History, entry: Entry) -> list[str]:
    state, rejected = history.state, history.state.rejected
    states = {"current": state.current, "last good": state.last_good, "pinned": history.pinned}
    if rejected is not None:
        states[f"rejected: {one_line(rejected.reason, _REASON_SHOWN)}"] = rejected.revision
    return [word for word, revision in states.items() if revision == entry.id]


def _differing(entry: Entry, base: Entry | None) -> list[str]:
    """The sections of the spec in which a revision isn't as another; none where there is no other.

    Without those that a rollback leaves as they are now.
    """
    if base is None:
        return []
    sections = (entry.spec.keys() | base.spec.keys()) - set(BESIDE_PODS)
    return sorted(section for section in sections if entry.spec.get(section) != base.spec.get(section))
