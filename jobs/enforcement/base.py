"""What a lever is, and how it tells what became of a change.

A lever keeps new work from starting; it never touches work that runs. Whatever it is asked to do
may be asked again: a change that is there already is not made twice, and what somebody else has
changed since is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

State = dict[str, object]
"""What stands at a target, in words of JSON; `{}` where a lever cannot look."""


class LeverError(Exception):
    """A target could not be changed. The notes say where, and how to put it right."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`."""
        super().__init__(what)
        self.add_note(f"in:  {where}")
        self.add_note(f"fix: {fix}")


class RefusedError(LeverError):
    """The other side said no, or was never reached: nothing was changed."""


class UnknownError(LeverError):
    """The other side may have made the change: no answer came."""


@dataclass(frozen=True, slots=True)
class Order:
    """One change to make, or to take back."""

    key: str
    """The same however often the change is asked for; another for every other change."""
    target: str
    reason: str
    """One sentence for the people it hits."""
    until: str
    """ISO date on which it ends by itself."""
    member: str
    quotas: tuple[str, ...]


class Lever(Protocol):
    """One configured way of stopping."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The name that plans and the journal know it by."""
        ...

    @property
    def dimension(self) -> str:
        """Whose members it can stop: team, user, project, model or dataset."""
        ...

    def targets(self) -> Mapping[str, Sequence[str]] | None:
        """Return member -> the targets that hold its work; none: each member is its own."""
        ...

    def change(self, target: str) -> str:
        """Say what exactly would be done."""
        ...

    def undo(self, target: str) -> str:
        """Say how it is undone."""
        ...

    def look(self, target: str) -> State:
        """Return what stands at the target.

        Raises: RefusedError
        """
        ...

    def is_stopped(self, order: Order, found: State) -> bool | None:
        """Tell whether what was found is what `stop` leaves; none where that cannot be seen."""
        ...

    def stop(self, order: Order, before: State) -> str:
        """Keep new work of the target from starting; return a remark, mostly none.

        Raises: RefusedError, UnknownError
        """
        ...

    def release(self, order: Order, before: State) -> str:
        """Put back what stood there before; return a remark where there was something to tell.

        Raises: RefusedError, UnknownError
        """
        ...
