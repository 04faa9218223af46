"""What add-ons add to a timeline: further time that fees are asked for, cut by the stages they are attached to.

An add-on has no periods of its own. It is free in a trial of fees and in a pause, its shares are counted as those of
the stage, and an invoice knows of it what it knows of the plan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from apps.subscriptions.periods import Period
from apps.subscriptions.timeline import AddOn, Stage, Timeline


def counting_at(timeline: Timeline, instant: datetime) -> list[AddOn]:
    return [one for one in timeline.add_ons if one.counts_at(instant)]


def on(add_on: AddOn, stage: Stage) -> Stage:
    """The stage as the add-on lives it."""
    return replace(stage, version_id=add_on.version_id, quantity=add_on.quantity)


def fee_stages(timeline: Timeline, cycle: Period) -> list[Stage]:
    """The add-ons' part of the fee period that `cycle` belongs to, as an invoice for the cycle knows it.

    It knows what began before its end. What counts then is taken to go on, as the plan is (`Timeline.fee_stages`):
    also what is detached exactly there, which is the next invoice's to settle. By plan and then by time; a change
    of the subscription that does not touch the add-on cuts nothing.
    """
    if not timeline.add_ons:
        return []
    known = timeline.fee_stages(cycle)
    until = known[-1].end
    assert until is not None
    found: list[Stage] = []
    for one in timeline.add_ons:
        if one.start >= cycle.end:
            continue
        end = until if one.end is None or one.end >= cycle.end else one.end
        for stage in known:
            assert stage.end is not None
            part = replace(on(one, stage), start=max(one.start, stage.start), end=min(end, stage.end))
            if part.start < min(end, stage.end):
                found.append(part)
    return joined(found)


def joined(stages: Sequence[Stage]) -> list[Stage]:
    """Neighbours that say the same are one: each is a line, and a line is rounded once."""
    found: list[Stage] = []
    for stage in stages:
        before = found[-1] if found else None
        if before is not None and before.end == stage.start and said_by(before) == said_by(stage):
            found[-1] = replace(before, end=stage.end)
        else:
            found.append(stage)
    return found


def said_by(stage: Stage) -> tuple[object, ...]:
    return stage.version_id, stage.quantity, stage.treatment, stage.proration


@dataclass(frozen=True, slots=True)
class Attachment:
    """An add-on from being attached to being detached, whatever its quantity in between. `end` None: open."""

    rows: tuple[AddOn, ...]

    @property
    def end(self) -> datetime | None:
        return self.rows[-1].end


def attachments(timeline: Timeline) -> list[Attachment]:
    """What is detached and attached again at the same instant goes on."""
    found: list[list[AddOn]] = [[one] for one in timeline.add_ons[:1]]
    for before, one in pairwise(timeline.add_ons):
        if before.plan_id == one.plan_id and before.end == one.start:
            found[-1].append(one)
        else:
            found.append([one])
    return [Attachment(tuple(rows)) for rows in found]


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where an add-on is first billed, and so asks for what it asks for once. `end` is the attachment's."""

    add_on: AddOn
    start: datetime
    end: datetime | None

    def within(self, end: datetime) -> Period:
        return Period(self.start, end if self.end is None else min(end, self.end))


def beginnings(timeline: Timeline, period: Period) -> list[Beginning]:
    """Those in `[start, end)`: each attachment begins once, when it is attached or when what is free then is over."""
    found = (beginning_of(one, timeline) for one in attachments(timeline))
    return [one for one in found if one is not None and period.start <= one.start < period.end]


def beginning_of(attachment: Attachment, timeline: Timeline) -> Beginning | None:
    billed = next(
        (
            (row, max(row.start, stage.start))
            for row in attachment.rows
            for stage in timeline.stages
            if stage.has_fees and overlap(row, stage, timeline.ends_at)
        ),
        None,
    )
    return None if billed is None else Beginning(billed[0], billed[1], attachment.end)


def overlap(row: AddOn, stage: Stage, ends_at: datetime | None) -> bool:
    start = max(row.start, stage.start)
    return all(end is None or start < end for end in (row.end, stage.end, ends_at))


def misfits(timeline: Timeline, since: datetime) -> Iterator[AddOn]:
    """Add-ons whose fees are for another interval than those of a stage that has them, at `since` or later."""
    for one in timeline.add_ons:
        if any(
            one.fees != stage.basis.fees
            for stage in timeline.stages
            if overlap(one, stage, timeline.ends_at) and (stage.end is None or stage.end > since)
            and (one.end is None or one.end > since)
        ):  # fmt: skip
            yield one
