"""The marts as a view shows them: for each mart the query that is published.

People are replaced row by row; what an audience sees only as a total is folded into one member, and
a mart that promises to conserve sums is added up anew over its key, so that totals stay exact. A
mart that nobody has thought of shows nothing to an audience that is limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries import ModelError
from queries.engines.duckdb import literal, name
from queries.privacy import columns as known
from queries.privacy.people import create_people, find_everybody, mart_columns
from queries.privacy.pseudonyms import ANYONE
from queries.privacy.views import NOBODYS, NOT_SHOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from queries.catalog import Model
    from queries.engines.duckdb import Connection
    from queries.privacy.people import Columns, Everybody
    from queries.privacy.views import View

FOR_ALL = ("marts.covered_days", "marts.freshness")
"""Marts that tell of nobody: every audience sees them whole."""
TOTALS = ("marts.books", "marts.conversions", "marts.coverage", "marts.invoices")
"""Marts of the company's totals: for audiences that see the others' totals."""
FOLDED = ("marts.members",)
"""Marts without sums whose rows are folded all the same, as the members of those that have some."""

_IS_USER = "(mart.dimension = 'user')"


@dataclass(frozen=True, slots=True)
class Masks:
    """A view of the marts that a connection has built."""

    con: Connection
    view: View
    marts: Mapping[str, Columns]

    def query_of(self, model: Model) -> str:
        """Return the query that gives what the view shows of a mart."""
        if self.view.is_open:
            return f"select * from {model.name}"
        columns = self.marts[model.name]
        if known.MEMBER in columns and "dimension" in columns:
            return self._by_member(model, columns)
        return self._by_row(model, columns)

    def check(self, model: Model, published: str) -> None:
        """Prove that what is published of a mart adds up to the mart.

        Raises: ModelError that names the first sum that is off.
        """
        if self.view.is_open or self.view.others != "totals":
            return
        for promise in model.conserves:
            # members are what a view replaces
            columns = self.marts[model.name].keys() - {known.MEMBER}
            keys = [key for key in promise.keys if key in columns]
            for column in promise.columns:
                self._check_sum(model.name, published, column, keys)

    def _check_sum(self, mart: str, published: str, column: str, keys: list[str]) -> None:
        by = ", ".join(keys)
        is_by_member = "dimension" in self.marts[mart]
        where = _among("dimension", self.view.dimensions) if is_by_member else "true"
        rows = self.con.execute(
            f"select * from (select {by}, sum({column}) as here from {published} group by all) "
            f"full join (select {by}, sum({column}) as there from {mart} where {where} "
            f"group by all) using ({by}) where coalesce(here, 0) <> coalesce(there, 0) limit 1"
        ).fetchall()
        if rows:
            raise ModelError(
                f"{column} of {mart} is off where people are not named, for ({by}) = {rows[0]}",
                where=f"the audience {self.view.audience or 'of all'}",
                fix="nothing is published: report this as a fault",
            )

    def _by_member(self, model: Model, columns: Columns) -> str:
        """Show a mart of members: people as the view has them, what is not shown folded."""
        is_dated = "charge_date" in columns
        team = "days.team" if is_dated else "people.team"
        seen = self._is_seen(team)
        values = self._folded_details(seen, columns) | {
            column: self._member(team, seen, columns, f"mart.{column}")
            for column in (known.MEMBER, known.MEMBER_NAME)
        }
        selected, joins = self._selected(columns, values)
        wanted = [_among("mart.dimension", self.view.dimensions)]
        is_folded = bool(model.conserves) or model.name in FOLDED
        if self.view.others == "nothing":
            wanted.append(f"{seen} and not {_NOBODY}")
        elif not is_folded:
            wanted.append(f"({seen} or {_NOBODY})")
        days = (
            "left join (select distinct charge_date, user_id, team from attribution.user_days) "
            f"as days on {_IS_USER} and mart.member = days.user_id "
            "and mart.charge_date = days.charge_date "
            if is_dated
            else ""
        )
        masked = (
            f"select {', '.join(selected)} from {model.name} as mart "
            f"left join privacy.people on {_IS_USER} and mart.member = people.user_id "
            "left join privacy.members as own on own.dimension = mart.dimension "
            f"and own.member = mart.member {days}{joins} where {' and '.join(wanted)}"
        )
        if not is_folded:
            return masked
        return _added_up(model, columns, masked)

    def _folded_details(self, seen: str, columns: Columns) -> dict[str, str]:
        """Return what stands in the columns that would tell more of a total than its sum."""
        if not self.view.is_limited:
            return {}
        unseen = f"not {seen} and not {_NOBODY}"
        is_old = _is_old_row(self.view, columns)
        return {
            "service_name": f"case when {unseen} and mart.dimension <> 'service' "
            f"then {literal(NOT_SHOWN)} else mart.service_name end",
            known.VERSION: f"case when {unseen} then null "
            f"else {_cleaned(f'texts_{known.VERSION}', f'mart.{known.VERSION}', is_old)} end",
            "team": f"case when {unseen} and mart.dimension not in ('user', 'team') "
            "then null else mart.team end",
        }

    def _is_seen(self, team: str) -> str:
        """Return whether a row's member is the audience's own; true for nobody's."""
        view = self.view
        if not view.is_limited:
            return "true"
        by_team = "true" if view.teams is None else f"coalesce({_in_teams(view, team)}, false)"
        own_team = "true" if view.teams is None else _in_teams(view, "mart.member")
        listed = _among("mart.dimension", sorted(view.members))
        is_open = "true" if view.teams is None else "false"
        return (
            f"(case when {listed} then own.member is not null "
            f"when {_IS_USER} then {by_team} when mart.dimension = 'team' then {own_team} "
            f"else {is_open} or own.member is not null end)"
        )

    def _member(self, team: str, seen: str, columns: Columns, column: str) -> str:
        """Return what stands for a member, or for its name."""
        someone, is_old = _someone(team), _is_old(self.view, columns)
        is_old_row = _is_old_row(self.view, columns)
        text = "texts" if column == "mart.member" else f"texts_{known.MEMBER_NAME}"
        name_of = {"names": column, "pseudonyms": "people.pseudonym", "teams": "null"}
        return (
            f"case when {_NOBODY} then {column} "
            f"when {_IS_USER} and (not {seen} or {is_old}) then {someone} "
            f"when {_IS_USER} then coalesce({name_of[self.view.people]}, {someone}) "
            f"when mart.dimension = 'team' then {column} "
            f"when not {seen} then {literal(NOT_SHOWN)} "
            f"else {_cleaned(text, column, is_old_row)} end"
        )

    def _by_row(self, model: Model, columns: Columns) -> str:
        """Show a mart of things that people own: its people as the view has them."""
        view, values = self.view, {}
        joins = ""
        is_old_row = _is_old_row(view, columns)
        for column in columns:
            person = column if column in known.PERSON_IDS else known.PERSON_NAMES.get(column)
            if person is None:
                continue
            who = f"people_{person}"
            if who not in joins:
                joins += f"left join privacy.people as {who} on mart.{person} = {who}.user_id "
            values[column] = self._person(column, person, who, is_old_row)
        for column in columns:
            about = known.DIMENSION_OF.get(column)
            if about is not None and about not in view.dimensions:
                values[column] = f"cast(null as {columns[column]})"
        selected, texts = self._selected(columns, values)
        wanted = self._rows_wanted(model.name, columns)
        return (
            f"select {', '.join(selected)} from {model.name} as mart {joins}{texts}where {wanted}"
        )

    def _person(self, column: str, person: str, who: str, is_old_row: str) -> str:
        view = self.view
        someone = _someone(f"{who}.team")
        is_old = f"({is_old_row} or {_is_former(view, who)})"
        seen = (
            "true" if view.teams is None else f"coalesce({_in_teams(view, f'{who}.team')}, false)"
        )
        shown = {"names": f"mart.{column}", "pseudonyms": f"{who}.pseudonym", "teams": "null"}
        instead = someone if view.people != "names" else f"mart.{column}"
        return (
            f"case when mart.{person} is null then mart.{column} "
            f"when not {seen} or {is_old} then {someone} "
            f"else coalesce({shown[view.people]}, {instead}) end"
        )

    def _rows_wanted(self, mart: str, columns: Columns) -> str:
        view = self.view
        if mart in FOR_ALL:
            return "true"
        wanted = []
        if "dimension" in columns:
            wanted.append(_among("mart.dimension", view.dimensions))
        if mart in TOTALS:
            return " and ".join([*wanted, "true" if view.others == "totals" else "false"])
        if view.others == "nothing" and "dimension" in columns:
            return "false"
        team = next((column for column in known.TEAMS if column in columns), None)
        if view.teams is not None:
            wanted.append(
                "false" if team is None else f"coalesce({_in_teams(view, f'mart.{team}')}, false)"
            )
        about = {one: column for column in columns if (one := known.DIMENSION_OF.get(column))}
        for dimension, members in view.members.items():
            names = _among(f"mart.{about.get(dimension)}", sorted(members))
            wanted.append(f"coalesce({names}, false)" if dimension in about else "false")
        return " and ".join(wanted) or "true"

    def _selected(self, columns: Columns, values: Mapping[str, str]) -> tuple[list[str], str]:
        """Return the columns to select, texts cleaned, and the joins that cleaning needs."""
        selected, joins = [], ""
        is_old = _is_old_row(self.view, columns)
        for column, kind in columns.items():
            value = values.get(column)
            if kind == "VARCHAR" and value is None and known.is_searched(column):
                alias = f"texts_{column}"
                value = _cleaned(alias, f"mart.{name(column)}", is_old)
                joins += _texts_join(alias, f"mart.{name(column)}")
            elif column in (known.MEMBER, known.MEMBER_NAME, known.VERSION) and value is not None:
                alias = "texts" if column == known.MEMBER else f"texts_{column}"
                joins += _texts_join(alias, f"mart.{name(column)}")
            selected.append(f"{value or f'mart.{name(column)}'} as {name(column)}")
        return selected, joins


def masks(con: Connection, view: View, everybody: Everybody | None = None) -> Masks:
    """Prepare a view of the marts that a connection has built.

    It holds until the next view is prepared. `everybody` is looked for where it is not given.
    """
    if view.is_open:
        return Masks(con, view, {})
    everybody = everybody or find_everybody(con, mart_columns(con))
    create_people(con, everybody, view)
    return Masks(con, view, everybody.marts)


def _added_up(model: Model, columns: Columns, masked: str) -> str:
    """Add up rows that have become one; where nothing is added, each stands once.

    A text beside the key follows from the key.
    """
    if not model.conserves:
        return f"select distinct * from ({masked})"
    sums = [
        name(column)
        if column in model.key or kind == "VARCHAR"
        else f"cast(sum({name(column)}) as {kind}) as {name(column)}"
        for column, kind in columns.items()
    ]
    return f"select {', '.join(sums)} from ({masked}) group by all"


def _among(column: str, values: Sequence[str]) -> str:
    return f"({column} in ({', '.join(map(literal, values))}))" if values else "false"


_NOBODY = _among("mart.member", NOBODYS)


def _texts_join(alias: str, column: str) -> str:
    return f"left join privacy.texts as {name(alias)} on {column} = {name(alias)}.text "


def _cleaned(alias: str, column: str, is_old: str) -> str:
    clean = f"case when {is_old} then {name(alias)}.clean_old else {name(alias)}.clean end"
    return f"coalesce({clean}, {column})"


def _someone(team: str) -> str:
    return f"coalesce('({ANYONE} in ' || {team} || ')', '({ANYONE})')"


def _in_teams(view: View, team: str) -> str:
    return _among(team, sorted(view.teams or ()))


def _is_former(view: View, who: str) -> str:
    """Return whether a person's last day is too long ago for the person to be shown."""
    if view.personal_from is None:
        return "false"
    return f"coalesce({who}.last_date < date {literal(view.personal_from.isoformat())}, false)"


def _is_old_row(view: View, columns: Mapping[str, str]) -> str:
    """Return whether a row is about a time of which no person is told any more."""
    if view.personal_from is None:
        return "false"
    day = next((text for column, text in _DAYS.items() if column in columns), None)
    if day is None:
        return "false"
    return f"coalesce({day} < date {literal(view.personal_from.isoformat())}, false)"


def _is_old(view: View, columns: Columns) -> str:
    """Return whether a person's row is too old; where it has no day, the person's last counts."""
    if any(column in columns for column in _DAYS):
        return _is_old_row(view, columns)
    return _is_former(view, "people")


_DAYS = {
    "charge_date": "mart.charge_date",
    "ended_at": "cast(coalesce(mart.ended_at, mart.started_at) as date)",
    "window_end": "mart.window_end",
    "resolved_date": "mart.resolved_date",
}
"""A column that a mart may have -> the last day that a row of it is about; null: it goes on."""
