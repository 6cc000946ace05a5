"""A night's part in quotas: where they stand goes into the journal, what to do into a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.config import ConfigError, Mistake
from jobs.journal import now
from jobs.journal.quotas import Standing
from jobs.quotas.plan import FOLDER
from jobs.quotas.planning import CAP_WINDOW, Evidence, make_plan, unknown_members
from jobs.quotas.standing import ROLLING
from jobs.quotas.writing import bring_up_to_date

if TYPE_CHECKING:
    from datetime import date

    from jobs.journal.quotas import Quotas
    from jobs.night import Night
    from jobs.quotas.plan import Plan
    from jobs.quotas.standing import QuotaRow, Standings


def plan_tonight(night: Night, quotas: Quotas, day: date | None) -> Plan:
    """Enter where quotas stand, write the plan of the day, and tell what it comes to."""
    standings = bring_up_to_date(night.config, str(night.generation))
    given = evidence_of(night, quotas, standings)
    unknown = list(unknown_members(standings, given.quotas, given.levers)) if standings else []
    if unknown:
        night.complain(_mistakes_of(night, unknown))
    elif standings is not None:
        for event in quotas.enter(standings_of(standings), standings.generation):
            night.progress.say(
                f"quota {event.quota}: {event.dimension} {event.member} has reached "
                f"{100 * float(event.threshold):g} % of its limit"
            )
    plan = make_plan(given)
    file = plan.write(
        night.config.state_dir / FOLDER, (day or datetime.now(UTC).date()).isoformat()
    )
    for line in summary_of(plan):
        night.progress.say(line)
    if plan.steps:
        night.progress.say(f"  {file}; `mlspend enforce --act` does it")
    return plan


def evidence_of(night: Night, quotas: Quotas, standings: Standings | None) -> Evidence:
    """Return all that tonight's plan is made of."""
    at = now()
    return Evidence(
        standings=standings,
        generation=night.generation,
        problems=[str(problem) for problem in night.problems],
        sources={source.name for source in night.config.sources if not source.is_retired},
        quotas=night.config.quotas,
        levers=night.config.levers,
        limits=night.config.enforcement,
        held=quotas.held(),
        pardoned=quotas.pardoned(at.date()),
        touched=quotas.intended_since(at - CAP_WINDOW),
        now=at,
        night=night.journal.nights()[-1].id,
    )


def _mistakes_of(night: Night, unknown: list[str]) -> ConfigError:
    fix = (
        "mend the name; a member is known from its first cost, a team also from its first person. "
        "Until then no quota is entered and nobody is stopped"
    )
    return ConfigError([Mistake(what, where=str(night.config.path), fix=fix) for what in unknown])


def standings_of(standings: Standings) -> list[Standing]:
    """Return where quotas stand, as the journal enters it."""
    return [_standing(standings, row) for row in standings.rows]


def _standing(standings: Standings, row: QuotaRow) -> Standing:
    reached = standings.rule_of(row).reached(row.used_amount)
    return Standing(
        quota=row.quota,
        dimension=row.dimension,
        member=row.member,
        measure=row.measure,
        window_start="" if row.window_kind == ROLLING else row.window_start.isoformat(),
        window_end=row.window_end.isoformat(),
        state=row.state,
        threshold=format(reached[-1][0], "f") if reached else "",
        limit_amount=row.limit_amount,
        used_amount=row.used_amount,
        billing_currency=row.billing_currency,
        reached=tuple((format(share, "f"), action) for share, action in reached),
    )


def summary_of(plan: Plan) -> list[str]:
    """Say in a few lines what a plan comes to."""
    counts = {
        what: sum(step.what == what for step in plan.steps) for what in ("stop", "renew", "release")
    }
    parts = [f"{count} to {what}" for what, count in counts.items() if count]
    lines = [f"plan: {', '.join(parts) or 'nothing to do'}"]
    lines += [f"  nobody is stopped: {reason}" for reason in plan.refusals]
    return [*lines, *(f"  {note}" for note in plan.unreached)]
