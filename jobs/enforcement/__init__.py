"""Levers: ways of keeping new work from starting, one file each.

A lever is named here and nowhere else; its fields become its table in the config file. Modules are
imported when a plan or an act needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVERS: Final[Mapping[str, str]] = {
    "kubernetes": "jobs.enforcement.kubernetes:Kubernetes",
    "slurm": "jobs.enforcement.slurm:Slurm",
    "webhook": "jobs.enforcement.webhook:Webhook",
}
"""The table's name in the config file -> where its class is."""
