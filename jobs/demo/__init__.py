"""A fictitious company to try mlspend on: its bills, its metadata, its telemetry, and the truth.

The same arguments give the same bytes, on any day and in any time zone. Companies and people are
made up, and prices are of the right size rather than anybody's quotation.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from shutil import rmtree
from typing import TYPE_CHECKING, Final

from jobs.demo.annex import split_charges
from jobs.demo.aws_listing import write_listings
from jobs.demo.azure import azure_charges
from jobs.demo.azure_export import write_azure
from jobs.demo.cur import write_cur
from jobs.demo.estate_bill import estate_charges
from jobs.demo.estate_truth import write_waste
from jobs.demo.focus import write_csv, write_parquet
from jobs.demo.google import google_charges
from jobs.demo.google_export import write_google
from jobs.demo.machines_bill import job_charges, machine_charges
from jobs.demo.monthly_bill import monthly_charges
from jobs.demo.papers import CONFIG, write_identities, write_inventory, write_ownership
from jobs.demo.planted import found_estate
from jobs.demo.rented_bill import rented_charges
from jobs.demo.runs import found_company
from jobs.demo.sacct import write_sacct
from jobs.demo.services_bill import service_charges
from jobs.demo.telemetry import write_telemetry
from jobs.demo.tracker import write_tracker
from jobs.demo.truth import Truth
from jobs.demo.truth_files import write_truth
from jobs.demo.truth_findings import write_findings
from jobs.demo.truth_lineage import write_full_costs
from jobs.demo.world import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobs.demo.charges import Charge
    from jobs.demo.estate import Estate
    from jobs.demo.world import World

UNTIL: Final = date(2026, 11, 1)
"""The first day that the company does not know, by default."""
_MARK: Final = CONFIG.partition("\n")[0]
_NAMES: Final = (
    "aws",
    "aws-inventory",
    "azure",
    "config.toml",
    "eu-lab",
    "gcp",
    "identities",
    "inventory",
    "lab",
    "mlflow.db",
    "ownership.toml",
    "prometheus",
    "slurm",
    "truth",
)
"""What the company's folder holds."""


@dataclass(frozen=True, slots=True)
class Company:
    """Where the company's files are."""

    folder: Path
    config: Path
    """A config file that reads all of them."""
    truth: Path
    """The folder of what everything really cost."""


def write_company(
    folder: Path,
    *,
    seed: int = 7,
    until: date = UNTIL,
    months: int = 3,
    progress: Callable[[str], None] | None = None,
) -> Company:
    """Write the company into a folder; `until` is exclusive, and its month may be an open one.

    `progress` is told what is being written, in a few words. A company written there earlier is
    replaced; what nights made of it (`state`) stays.

    Raises: FileExistsError where files of somebody else's bear the company's names, or nights of
    somebody else's would be gone on with.
    """
    say = progress or (lambda _: None)
    _make_room(folder)
    say("people, machines and runs")
    world = found_company(seed, until, months)
    estate = found_estate(world)
    truth = Truth(world, estate)
    charges = _write_bills(folder, world, estate, truth, say)
    say("the tracker")
    write_tracker(folder / "mlflow.db", world)
    write_sacct(folder / "slurm", world)
    say("telemetry")
    write_telemetry(folder / "prometheus", world)
    say("people, ownership and inventory")
    write_identities(folder / "identities", world)
    write_ownership(folder / "ownership.toml", world)
    write_inventory(folder / "inventory", world)
    write_listings(folder / "aws-inventory", world, estate)
    say("the truth")
    write_truth(folder / "truth", world, truth)
    write_waste(folder / "truth" / "waste.csv", world, estate, charges)
    write_findings(folder / "truth", world, truth)
    write_full_costs(folder / "truth" / "full_costs.csv", world, truth)
    config = folder / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    _date_files(folder, world.calendar.until + 8 * HOUR)
    return Company(folder, config, folder / "truth")


def _write_bills(
    folder: Path, world: World, estate: Estate, truth: Truth, say: Callable[[str], None]
) -> list[Charge]:
    """Write what the clouds bill, and return the lines of the largest."""
    say("the cloud bill")
    charges: list[Charge] = [
        *machine_charges(world),
        *job_charges(world),
        *service_charges(world),
        *estate_charges(world, estate),
        *split_charges(world),
    ]
    charges += list(monthly_charges(world, charges))
    write_cur(folder / "aws", world, charges)
    truth.add("aws", charges)
    say("the renters' bills")
    for source, write in (("lab", write_csv), ("eu-lab", write_parquet)):
        rented = rented_charges(world, source)
        write(folder / source, world, source, rented)
        truth.add(source, rented)
    say("other clouds' bills")
    of_google, of_azure = google_charges(world), azure_charges(world)
    write_google(folder / "gcp", world, of_google)
    truth.add("gcp", of_google)
    write_azure(folder / "azure", world, of_azure)
    truth.add("azure", of_azure)
    return charges


def _make_room(folder: Path) -> None:
    """Take away the company that was written there before, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    there = [folder / name for name in _NAMES if (folder / name).exists()]
    state = folder / "state"
    config = folder / "config.toml"
    is_ours = config.is_file() and config.read_text(encoding="utf-8").startswith(_MARK)
    if not is_ours and (there or state.exists()):
        error = FileExistsError(
            f"{(*there, state)[0].name} is there already, and is not of the demo"
        )
        error.add_note(f"in:  {folder}")
        error.add_note("fix: give another folder; an empty or a new one will do")
        raise error
    for path in there:
        if path.is_dir():
            rmtree(path)
        else:
            path.unlink()


def _date_files(folder: Path, second: int) -> None:
    """Date every file alike: readers take a file's time for that of its contents."""
    for name in _NAMES:
        top = folder / name
        for path in [top, *top.rglob("*")] if top.is_dir() else [top]:
            if path.is_file():
                os.utime(path, (second, second))
