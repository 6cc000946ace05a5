"""What mlspend can read: one small class per source, listed in CONNECTORS.

The list names modules instead of importing them, so that a command starts without loading the
libraries of every cloud.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.base import Connector, Table

CONNECTORS: Mapping[str, str] = {
    "focus": "connectors.focus:Focus",
    "aws_cur": "connectors.aws_cur:AwsCur",
    "azure_cost": "connectors.azure_cost:AzureCost",
    "gcp_billing": "connectors.gcp_billing:GcpBilling",
    "gcp_prices": "connectors.gcp_prices:GcpPrices",
    "exchange_rates": "connectors.exchange_rates:ExchangeRates",
    "mlflow": "connectors.mlflow:Mlflow",
    "airflow": "connectors.airflow:Airflow",
    "prometheus": "connectors.prometheus:Prometheus",
    "identities": "connectors.identities:Identities",
    "ldif": "connectors.ldif:Ldif",
    "keycloak": "connectors.keycloak:Keycloak",
    "ownership": "connectors.ownership:Ownership",
    "storage_inventory": "connectors.storage_inventory:StorageInventory",
    "aws_inventory": "connectors.aws_inventory:AwsInventory",
    "azure_inventory": "connectors.azure_inventory:AzureInventory",
    "gcp_inventory": "connectors.gcp_inventory:GcpInventory",
    "opencost": "connectors.opencost:Opencost",
    "alibaba_bill": "connectors.alibaba_bill:AlibabaBill",
    "model_api_usage": "connectors.model_api_usage:ModelApiUsage",
    "mapped_csv": "connectors.mapped_csv:MappedCsv",
    "rate_card": "connectors.rate_card:RateCard",
    "people_card": "connectors.people_card:PeopleCard",
    "slurm": "connectors.slurm:Slurm",
    "sagemaker": "connectors.sagemaker:Sagemaker",
    "ray": "connectors.ray:Ray",
    "prefect": "connectors.prefect:Prefect",
    "dagster": "connectors.dagster:Dagster",
    "wandb": "connectors.wandb:Wandb",
    "clearml": "connectors.clearml:Clearml",
    "guild": "connectors.guild:Guild",
    "openlineage": "connectors.openlineage:Openlineage",
    "kubeflow": "connectors.kubeflow:Kubeflow",
    "vertex": "connectors.vertex:Vertex",
    "azureml": "connectors.azureml:Azureml",
    "polyaxon": "connectors.polyaxon:Polyaxon",
    "optscale": "connectors.optscale:Optscale",
    "runs_file": "connectors.runs_file:RunsFile",
    "dvc": "connectors.dvc:Dvc",
    "lakefs": "connectors.lakefs:Lakefs",
    "feast": "connectors.feast:Feast",
    "s3_inventory": "connectors.s3_inventory:S3Inventory",
    "s3_access_logs": "connectors.s3_access_logs:S3AccessLogs",
    "vpc_flow_logs": "connectors.vpc_flow_logs:VpcFlowLogs",
}
"""Kind, as the config file writes it -> `module:class`."""

SUPPORT = frozenset(
    {
        "addresses",
        "airflow_assets",
        "airflow_rest",
        "alibaba_api",
        "alibaba_files",
        "aws_asking",
        "aws_calls",
        "aws_exports",
        "aws_halves",
        "azure_asking",
        "azure_blob",
        "azure_calls",
        "azure_exports",
        "azure_months",
        "azure_query",
        "azureml_answers",
        "base",
        "bigquery_export",
        "bigquery_units",
        "billing_files",
        "charged_days",
        "contract_csv",
        "damaged",
        "dvc_files",
        "dvc_places",
        "dvc_stages",
        "feast_registry",
        "fetched",
        "folder",
        "gcp_assets",
        "gcs",
        "headers",
        "hiding",
        "http",
        "identities_checks",
        "identities_toml",
        "inventory_answers",
        "keycloak_realm",
        "local",
        "mapped_lines",
        "mlflow_db",
        "mlflow_gpus",
        "mlflow_histories",
        "mlflow_objectives",
        "mlflow_postgres",
        "mlflow_records",
        "mlflow_rest",
        "model_api_answers",
        "opencost_answers",
        "openlineage_events",
        "ownership_file",
        "patience",
        "people_card_files",
        "pieces",
        "platforms",
        "prometheus_answers",
        "prometheus_frames",
        "promql",
        "rate_card_file",
        "ray_answers",
        "reach",
        "records",
        "run_changes",
        "run_labels",
        "runs_file_rows",
        "s3",
        "sagemaker_calls",
        "secrets",
        "seen",
        "serving_promql",
        "slurm_nodes",
        "slurm_records",
        "store",
        "stored",
        "tally",
        "toml_lines",
        "vertex_answers",
    }
)
"""Modules of this package that are not connectors, but what connectors are made of."""


def connector_class(kind: str) -> type[Connector]:
    """Import and return the class of one connector.

    Raises: KeyError for a kind that is not in CONNECTORS.
    """
    module, _, name = CONNECTORS[kind].partition(":")
    found: type[Connector] = getattr(import_module(module), name)
    return found


class _Declared(Mapping[str, "Mapping[str, Table]"]):
    """What every connector declares; each is imported when it is asked for."""

    def __getitem__(self, kind: str) -> Mapping[str, Table]:
        return {table.name: table for table in connector_class(kind).tables}

    def __iter__(self) -> Iterator[str]:
        return iter(CONNECTORS)

    def __len__(self) -> int:
        return len(CONNECTORS)


def declared_tables() -> Mapping[str, Mapping[str, Table]]:
    """Return connector -> table -> what it declares, for every connector there is."""
    return _Declared()


def connectors_fingerprint() -> str:
    """Return a digest of this package's code: what any connector declares changes with it."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
