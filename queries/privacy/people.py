"""Who there is, and what stands for each of them in a view: tables that the masks join.

`privacy.people` has everyone whom any mart or source names, `privacy.texts` what becomes of every
text that names one of them, and `privacy.members` the projects, models and datasets that are wholly
an audience's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries.catalog import models
from queries.engines.duckdb import literal, literals, name
from queries.privacy.columns import MEMBER, MEMBER_NAME, PERSON_IDS, is_searched, is_text
from queries.privacy.pseudonyms import ANYONE, pseudonym
from queries.privacy.texts import Scrubber
from queries.privacy.views import NOBODYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from queries.engines.duckdb import Connection
    from queries.privacy.views import View

Columns = dict[str, str]
"""Column -> type, in order."""

_BATCH = 10_000
_KNOWN = """
    select user_id, user_id from privacy.people
    union select user_raw, user_id from attribution.user_days
    union select alias, user_id from staging.aliases
    union select user_name, user_id from staging.people where user_name is not null
    union select email, user_id from staging.people where email is not null
    union select split_part(email, '@', 1), user_id from staging.people where email is not null
    order by all
"""
"""What identifies somebody, and whom."""
_OWN_MEMBERS = """
    with owned as (
        select 'project' as dimension, project as member, team from attribution.named_postings
        union all
        select 'model' as dimension, model as member, team from attribution.named_postings
        union all
        select 'dataset' as dimension, dataset as member, team from attribution.named_postings
        union all
        select run_members.dimension, run_members.member, named_postings.team
        from attribution.named_postings
        inner join attribution.run_members using (charge_date, run_id)
    )
    select dimension, member from owned where member is not null group by dimension, member
    having bool_and(coalesce(list_contains($teams, team), false))
"""
"""The projects, models and datasets all of whose cost is some teams'."""


def columns_of(con: Connection, mart: str) -> Columns:
    """Return a mart's columns, in order.

    Raises: ModelError for a column of a type in which a person may hide.
    """
    described = con.execute(f"describe {mart}").fetchall()
    found = {str(row[0]): str(row[1]) for row in described}
    for column, kind in found.items():
        is_text(kind, f"{mart}.{column}")
    return found


def mart_columns(con: Connection) -> dict[str, Columns]:
    """Return the columns of every mart that is built."""
    return {model.name: columns_of(con, model.name) for model in models() if model.layer == "marts"}


def unveiled(con: Connection, view: View, member: str) -> str:
    """Return the id of the person who has a pseudonym; any other member as it is."""
    if view.people != "pseudonyms":
        return member
    ids = con.execute("select distinct user_id from attribution.user_days").fetchall()
    return next((row[0] for row in ids if pseudonym(view.key, row[0]) == member), member)


@dataclass(frozen=True, slots=True)
class Everybody:
    """Whom the marts and the sources name, and where; the same for every view."""

    marts: Mapping[str, Columns]
    people: Sequence[tuple[str, str | None, date | None]]
    """Id, newest team, last day."""
    known: Sequence[tuple[str, str]]
    """What identifies somebody, and the id of that person."""
    texts: Sequence[str]
    """Every text that names somebody."""


def find_everybody(con: Connection, marts: Mapping[str, Columns]) -> Everybody:
    """Look through all marts for people."""
    con.execute("create schema if not exists privacy")
    con.execute(f"create or replace table privacy.people as {_people_query(marts)}")
    people = con.execute("select user_id, team, last_date from privacy.people").fetchall()
    known = con.execute(_KNOWN).fetchall()
    naming = Scrubber(dict.fromkeys((text for text, _ in known), ANYONE))
    return Everybody(marts, people, known, list(naming.changes(_texts_of(con, marts))))


def create_people(con: Connection, everybody: Everybody, view: View) -> None:
    """Create the tables that say what stands for whom in a view."""
    _add_pseudonyms(con, view, [user_id for user_id, _, _ in everybody.people])
    _create_texts(con, everybody, view, _shown(everybody.people, view))
    _create_members(con, view)


def scrubber_of(con: Connection, view: View, first_day: date) -> Scrubber:
    """Return what takes out of texts the people whom a view does not name.

    The texts are about days from `first_day` on; where one of them is too old to name people, no
    text names anybody. `con` has attribution.user_days and the people of the sources.
    """
    con.execute("create schema if not exists privacy")
    con.execute(f"create or replace table privacy.people as {_people_query({})}")
    known = con.execute(_KNOWN).fetchall()
    if view.personal_from is not None and first_day < view.personal_from:
        return Scrubber(dict.fromkeys((text for text, _ in known), ANYONE))
    people = con.execute("select user_id, team, last_date from privacy.people").fetchall()
    return Scrubber(_hidden(known, _shown(people, view)))


def _shown(people: Iterable[tuple[str, str | None, date | None]], view: View) -> dict[str, str]:
    """Return what stands in texts for each person."""
    shown: dict[str, str] = {}
    for user_id, team, last_date in people:
        is_former = (
            view.personal_from is not None
            and last_date is not None
            and last_date < view.personal_from
        )
        name_shown = ANYONE if is_former else view.person(user_id, team)
        shown[user_id] = ANYONE if name_shown.startswith("(") else name_shown
    return shown


def _hidden(known: Iterable[tuple[str, str]], shown: Mapping[str, str]) -> dict[str, str]:
    """Return what identifies a person who is not named -> what stands in its place."""
    return {
        text: shown.get(user_id, ANYONE)
        for text, user_id in known
        if shown.get(user_id, ANYONE) != user_id
    }


def _people_query(marts: Mapping[str, Columns]) -> str:
    """Return a row for each person whom a mart or a source names."""
    sources = [
        "select user_id from attribution.user_days",
        "select user_id from staging.people",
        *(
            f"select {column} from {mart}"
            for mart, columns in marts.items()
            for column in columns
            if column in PERSON_IDS
        ),
        *(
            f"select {MEMBER} from {mart} where dimension = 'user'"
            for mart, columns in marts.items()
            if MEMBER in columns
        ),
    ]
    return f"""
        with ids as ({" union ".join(sources)}),
        days as (
            select user_id, max(charge_date) as last_date, arg_max(team, charge_date) as team
            from attribution.user_days group by user_id
        )
        select ids.user_id, days.team, days.last_date, cast(null as varchar) as pseudonym
        from ids left join days using (user_id)
        where ids.user_id is not null and ids.user_id not in (select unnest({literals(NOBODYS)}))
    """


def _add_pseudonyms(con: Connection, view: View, people: Sequence[str]) -> None:
    if view.people == "pseudonyms":
        rows = [(user_id, pseudonym(view.key, user_id)) for user_id in people]
        _create_pairs(con, "privacy.codes", ("user_id", "code"), rows)
        con.execute(
            "update privacy.people set pseudonym = codes.code from privacy.codes "
            "where people.user_id = codes.user_id"
        )


def _create_texts(
    con: Connection, everybody: Everybody, view: View, shown: Mapping[str, str]
) -> None:
    """Create privacy.texts: a text that names somebody, and what stands in its place.

    `clean` is for rows that may name people, `clean_old` for those that are too old to.
    """
    clean = old = Scrubber(_hidden(everybody.known, shown)).changes(everybody.texts)
    if view.personal_from is not None:
        everyone = dict.fromkeys((text for text, _ in everybody.known), ANYONE)
        old = Scrubber(everyone).changes(everybody.texts)
    rows = [(text, clean.get(text, text), old.get(text, text)) for text in {**clean, **old}]
    _create_pairs(con, "privacy.texts", ("text", "clean", "clean_old"), rows)


def _texts_of(con: Connection, marts: Mapping[str, Columns]) -> list[str]:
    """Return every text of the marts in which a person may stand, each once."""
    parts = [
        f"select {name(column)} as text from {mart}"
        + (" where dimension <> 'user'" if column in (MEMBER, MEMBER_NAME) else "")
        for mart, columns in marts.items()
        for column, kind in columns.items()
        if kind == "VARCHAR" and (column in (MEMBER, MEMBER_NAME) or is_searched(column))
    ]
    query = " union ".join(parts)
    return [
        row[0]
        for row in con.execute(f"select text from ({query}) where text is not null").fetchall()
    ]


def _create_members(con: Connection, view: View) -> None:
    """Create privacy.members: what is shown of the dimensions that are not people or teams."""
    con.execute("create or replace table privacy.members (dimension varchar, member varchar)")
    if view.teams is not None:
        con.execute(f"insert into privacy.members {_OWN_MEMBERS}", {"teams": sorted(view.teams)})
    for dimension, members in view.members.items():
        con.execute(f"delete from privacy.members where dimension = {literal(dimension)}")
        rows = [(dimension, member) for member in sorted(members)]
        con.executemany("insert into privacy.members values (?, ?)", rows)


def _create_pairs(
    con: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Create a table of texts."""
    kinds = ", ".join(f"{column} varchar" for column in columns)
    con.execute(f"create or replace table {table} ({kinds})")
    rows = list(rows)
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        lists = [[row[place] for row in batch] for place in range(len(columns))]
        unnested = ", ".join("unnest(?)" for _ in columns)
        con.execute(f"insert into {table} select {unnested}", lists)
