"""Who works at the company, in which team and on what.

Three stories lie in here: one person changes team half-way, one leaves, and one login is nobody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobs.demo.world import DAY, Person, Project, Stay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.demo.world import Calendar

PROJECTS: Final[Mapping[str, Sequence[str]]] = {
    "vision": ("shelf-vision", "drone-inspection", "visual-search"),
    "language": ("assistant", "contract-reader", "translation"),
    "speech": ("voice-desk", "captions"),
    "recommendations": ("home-feed", "basket-next"),
    "forecasting": ("demand-outlook", "energy-load"),
    "robotics": ("warehouse-pick", "route-learning"),
    "search": ("query-ranking", "catalog-embeddings"),
    "platform": ("ml-platform", "data-lake"),
}
"""Team -> its projects."""
_NAMES: Final[Mapping[str, str]] = {
    "vision": "Alma Quillfern, Bram Ostermoor, Chiara Dunnwick, Dario Feltmere, Eskil Thornby, "
    "Femke Larkspane",
    "language": "Goran Ashwhistle, Hedda Marrowfield, Idris Coppervane, Junia Wexholm, "
    "Kasimir Bellhollow, Lumi Tarrowgate, Milo Brackenlow",
    "speech": "Nadia Silverhurst, Oskar Pennydale, Petra Vintermark, Quentin Hollowbrook, "
    "Rosa Emberlane",
    "recommendations": "Sami Foxgrove, Tilde Mossbridge, Ugo Carrowmill, Vera Nightingate, "
    "Wim Stonehollow, Xenia Brightwater",
    "forecasting": "Yannis Oakmantle, Zora Fennimarsh, Anselm Greywillow, Brita Cloudsley",
    "robotics": "Cosmo Ironthwaite, Delia Sandhurn, Emre Windermoor, Fiorella Stagpole, "
    "Gustav Heatherick",
    "search": "Hanne Millstrand, Ivo Larchwood, Jarla Underfell, Koen Blythemere, Leda Rookhaven",
    "platform": "Matteo Crownhurst, Noor Elderbank, Orla Thistlecombe, Pavel Rainford, "
    "Quirine Ashdown, Runa Wolfstead",
}
MOVED: Final = "hanne.millstrand"
"""She goes from search to language half-way."""
MOVED_TO: Final = "language"
LEFT: Final = "gustav.heatherick"
"""He leaves after two thirds of the time."""
NOBODY: Final = "tmp-contractor7"
"""A login that the identities do not know."""


def moved_at(calendar: Calendar) -> int:
    """Return the first second in the new team."""
    return _part_of(calendar, 1, 2)


def left_at(calendar: Calendar) -> int:
    """Return the first second after the last day at work."""
    return _part_of(calendar, 2, 3)


def _part_of(calendar: Calendar, part: int, parts: int) -> int:
    days = len(calendar.days) * part // parts
    return calendar.start + days * DAY


def hire(calendar: Calendar) -> list[Person]:
    """Return the people, team by team."""
    return [
        _person(name, team, calendar)
        for team, names in _NAMES.items()
        for name in names.split(", ")
    ]


def _person(name: str, team: str, calendar: Calendar) -> Person:
    first, last = name.lower().split(" ")
    user_id = f"{first}.{last}"
    stays: tuple[Stay, ...] = (Stay(team, None, None),)
    if user_id == MOVED:
        change = moved_at(calendar)
        stays = (Stay(team, None, change), Stay(MOVED_TO, change, None))
    elif user_id == LEFT:
        stays = (Stay(team, None, left_at(calendar)),)
    return Person(user_id=user_id, name=name, login=first[0] + last, stays=stays)


def found_projects() -> list[Project]:
    """Return the projects, team by team."""
    return [Project(name, team) for team, names in PROJECTS.items() for name in names]
