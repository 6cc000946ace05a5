"""Units that the config file takes back: they lie in the raw store, and do not count.

A source that no longer has a file says nothing by that: old exports are swept away. Only a person
knows that a bill was delivered by mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.ledger import billed_in
from jobs.restatements import rows_of

if TYPE_CHECKING:
    from jobs.ledger import Entry, State
    from jobs.night import Night

LEFT_OUT = "config"
"""Who refused a delivery that the config file leaves out."""


def leave_out(night: Night) -> None:
    """Enter which deliveries the config file leaves out, and tell which count again."""
    whys = {(one.source, one.unit): one.why for one in night.config.left_out}
    verdicts: list[tuple[int, State, str, str]] = []
    back: dict[tuple[str, str], list[Entry]] = {}
    for entry in night.journal.deliveries():
        why = whys.get((entry.source, entry.unit))
        reason = f"the config file leaves it out: {why}"
        if why is not None and (entry.refused_by, entry.reason) != (LEFT_OUT, reason):
            verdicts.append((entry.id, "quarantined", reason, LEFT_OUT))
        elif why is None and entry.refused_by == LEFT_OUT:
            verdicts.append((entry.id, "landed", "", ""))
            back.setdefault((entry.source, entry.unit), []).append(entry)
    if verdicts:
        night.journal.judge(verdicts)
    for (source, unit), versions in back.items():
        night.progress.say(f"note: {source} {unit} counts again{_bill_of(night, versions)}")


def tell_left_out(night: Night) -> None:
    """Tell each unit that is left out, with what it bills, and each that nobody has delivered."""
    for one in night.config.left_out:
        own = [entry for entry in night.journal.deliveries() if entry.source == one.source]
        found = [entry for entry in own if entry.unit == one.unit]
        if found:
            night.progress.say(
                f"note: {one.source} {one.unit} is left out{_bill_of(night, found)}: {one.why}"
            )
            continue
        from difflib import get_close_matches  # noqa: PLC0415  (most nights leave nothing out)

        near = get_close_matches(one.unit, {entry.unit for entry in own}, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        night.progress.say(
            f'note: [[left_out]]: {one.source} has landed nothing called "{one.unit}"{meant}'
        )


def _bill_of(night: Night, versions: list[Entry]) -> str:
    totals = night.journal.totals_of(max(versions, key=lambda entry: entry.order).id)
    costs = billed_in(totals)
    if not costs:
        return ""
    from reports.figures import exact  # noqa: PLC0415  (most nights leave nothing out)

    amounts = ", ".join(exact(cost, currency) for currency, cost in costs.items())
    return f" ({rows_of(totals):,} lines, {amounts})"
