"""Work on one database by several connections at once, each piece after those that it needs.

One thread plans a statement, and most of a night's are planned longer than they run.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import TYPE_CHECKING

from queries.engines.duckdb import MemoryLimitError, another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from queries.engines.duckdb import Connection


_FEW = 2
"""Of so few threads none waits long for the last piece; of more, one long piece keeps them all."""


def do_side_by_side(
    con: Connection,
    needs: Mapping[str, set[str]],
    work: Callable[[str, Connection], None],
    *,
    has_one_thread: bool = False,
) -> None:
    """Do `work` for each name of `needs`, as many at once as the engine may have threads.

    Each piece may use threads that others leave, or `has_one_thread` where there are few. What has
    not enough memory beside others is done again alone. Anything else that a piece raises ends all:
    nothing more is begun, and what runs is interrupted.
    """
    row = con.execute("select current_setting('threads')").fetchone() or (1,)
    connections = [another(con) for _ in range(int(row[0]))]
    running: dict[Future[None], str] = {}
    try:
        if has_one_thread and len(connections) <= _FEW:
            con.execute("set threads = 1")
        _do_all(con, connections, needs, work, running)
    except BaseException:
        _stop(connections, running)
        raise
    finally:
        con.execute(f"set threads = {int(row[0])}")
        for each in connections:
            each.close()


def _do_all(
    con: Connection,
    connections: Sequence[Connection],
    needs: Mapping[str, set[str]],
    work: Callable[[str, Connection], None],
    running: dict[Future[None], str],
) -> None:
    idle: SimpleQueue[Connection] = SimpleQueue()
    for each in connections:
        idle.put(each)

    def piece(name: str) -> None:
        own = idle.get()
        try:
            work(name, own)
        finally:
            idle.put(own)

    turns = TopologicalSorter(needs)
    turns.prepare()
    crowded: list[str] = []
    pool = ThreadPoolExecutor(len(connections))
    while turns.is_active():
        running |= {pool.submit(piece, name): name for name in turns.get_ready()}
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            if isinstance(future.exception(), MemoryLimitError):
                crowded.append(name)
            else:
                future.result()
                turns.done(name)
        while crowded and not running:
            work(crowded[0], con)
            turns.done(crowded.pop(0))
    pool.shutdown()


def _stop(connections: Iterable[Connection], running: Iterable[Future[None]]) -> None:
    """End what runs; between two statements there is nothing to interrupt, so it is tried again."""
    begun = [future for future in running if not future.cancel()]
    while wait(begun, timeout=0.05).not_done:
        for each in connections:
            each.interrupt()
