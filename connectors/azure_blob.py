"""Azure Blob Storage: listing, checksums, and reading in pieces that are each asked for again.

A container tells the MD5 of most files, and an ETag that changes with every write; each piece is
asked for with the ETag that was listed, so that two versions never mix.

Source: https://learn.microsoft.com/rest/api/storageservices/list-blobs
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient, ContainerClient, ExponentialRetry

from connectors.addresses import place_of
from connectors.base import Checksum, Format, SourceError
from connectors.pieces import open_in_pieces
from connectors.secrets import secret_of, written
from connectors.stored import StoredFile, changed_since, format_of
from connectors.tally import count_azure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from azure.storage.blob import BlobProperties

logging.getLogger("azure").addHandler(logging.NullHandler())  # what matters is in the errors
_RETRIES = 4
_READER = (
    "give an identity the role Storage Blob Data Reader on the container; a signature needs the "
    "permissions read and list, and time left"
)
_OF_CONNECTION = ("accountkey=", "sharedaccesssignature=")


class AzureBlobStore:
    """The files under a prefix of one container."""

    keeps_times = True

    def __init__(self, root: str, credential_env: str = "") -> None:
        """Name the address and the variable with a secret; the first listing connects."""
        self.root = root
        self.place = place_of(root)
        self.credential_env = credential_env

    @cached_property
    def client(self) -> ContainerClient:
        """Connect as the variable says, else as Azure's own tools are signed in here."""
        place = self.place
        secret = secret_of(self.credential_env, where=self.root)
        options: dict[str, Any] = {
            "retry_policy": ExponentialRetry(
                initial_backoff=1, increment_base=2, retry_total=_RETRIES, random_jitter_range=1
            ),
            "connection_timeout": 10,
            "read_timeout": 60,
            "raw_request_hook": count_azure,
        }
        try:
            if any(mark in secret.lower() for mark in _OF_CONNECTION):
                service = BlobServiceClient.from_connection_string(secret, **options)
                _check_account(service.account_name, self)
                return service.get_container_client(place.container)
            if secret and "sig=" not in secret:
                raise ValueError  # noqa: TRY301  (explained below)
            return ContainerClient(
                f"https://{place.account}.blob{place.domain}",
                place.container,
                credential=secret.lstrip("?") or DefaultAzureCredential(),
                **options,
            )
        except (AzureError, ValueError) as error:
            raise self.refusal(error, self.root) from error

    def files(self) -> Sequence[StoredFile]:
        """List every file, in the order of names.

        Raises: SourceError where the container is not there or may not be listed.
        """
        start = f"{self.place.prefix}/" if self.place.prefix else ""
        try:
            found = [
                self._listed(blob, start)
                for blob in self.client.list_blobs(name_starts_with=start, include=["metadata"])
                if not _is_folder(blob)
            ]
        except AzureError as error:
            raise self.refusal(error, self.root) from error
        return sorted(found, key=lambda file: file.name)

    def _listed(self, blob: BlobProperties, start: str) -> AzureBlobFile:
        return AzureBlobFile(
            store=self,
            key=blob.name,
            name=blob.name[len(start) :],
            size=blob.size,
            modified=blob.last_modified.astimezone(UTC),
            stamp=str(blob.etag).strip('"'),
            md5=bytes(blob.content_settings.content_md5 or b"").hex(),
        )

    def refusal(self, error: Exception, where: str) -> SourceError:
        """Say what Azure refused, and which role or setting is wanting."""
        what, fix = _explain(error, written(self.credential_env))
        return SourceError(what, where=where, fix=fix)


def _is_folder(blob: BlobProperties) -> bool:
    """Tell whether an entry is a folder of an account with a hierarchical namespace."""
    return blob.name.endswith("/") or (blob.metadata or {}).get("hdi_isfolder") == "true"


def _check_account(account: str | None, store: AzureBlobStore) -> None:
    if account != store.place.account:
        raise SourceError(
            f"the connection string in {written(store.credential_env)} is of the account {account}",
            where=store.root,
            fix="mend the root, or name another variable in credential_env",
        )


@dataclass(frozen=True, slots=True)
class AzureBlobFile:
    """A file of a container, as it was when it was listed."""

    store: AzureBlobStore = field(repr=False)
    key: str
    name: str
    """From the root."""
    size: int
    modified: datetime
    stamp: str
    """The ETag."""
    md5: str
    """Empty where the container does not know it."""

    @property
    def format(self) -> Format:
        """How the bytes are to be read, by the end of the name."""
        return format_of(self.name)

    @property
    def checksum(self) -> Checksum | None:
        """The MD5 that the file was put with, if it was."""
        return Checksum("md5", self.md5) if self.md5 else None

    @property
    def where(self) -> str:
        """The address, for errors."""
        place = self.store.place
        return f"az://{place.account}/{place.container}/{self.key}"

    def open(self) -> BinaryIO:
        """Open the bytes; what breaks off is asked for again.

        Raises: SourceError where the file has gone, has changed, or may not be read; so does
            reading.
        """
        return open_in_pieces(self._fetch, self.size, self.where)

    def _fetch(self, position: int, length: int) -> bytes:
        try:
            return (
                self.store.client.get_blob_client(self.key)
                .download_blob(
                    offset=position,
                    length=length,
                    etag=self.stamp,
                    match_condition=MatchConditions.IfNotModified,
                )
                .readall()
            )
        except ResourceModifiedError as error:
            raise changed_since(self.where) from error
        except AzureError as error:
            raise self.store.refusal(error, self.where) from error


def _explain(error: Exception, named: str) -> tuple[str, str]:
    """Return what is wrong, and the fix."""
    if isinstance(error, ValueError):
        fix = "copy it from the account's access keys, or make a shared access signature"
        return f"{named} holds neither a connection string nor a signature", fix
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _explain_answer(error, named)
    if isinstance(error, ClientAuthenticationError):
        fix = (
            "give the machine a managed identity, sign in with `az login`, set AZURE_CLIENT_ID, "
            "AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or name a variable in credential_env"
        )
        return "there are no Azure credentials", fix
    if isinstance(error, ServiceRequestError):
        fix = "check the account's name, the network, and the account's firewall"
        return "nothing answers at the account's address", fix
    return f"Azure cannot be read: {type(error).__name__}", "run again, and check the network"


def _explain_answer(error: HttpResponseError, named: str) -> tuple[str, str]:
    stated = getattr(error, "error_code", None) or error.status_code
    code = str(getattr(stated, "value", stated))
    secret = f"the secret in {named}" if named else "the identity of this machine"
    if isinstance(error, ResourceNotFoundError):
        if code == "BlobNotFound":
            return "a file has gone since it was listed", "run again"
        return f"there is no such container ({code})", "mend the root in the config file"
    if code in ("AuthenticationFailed", "InvalidAuthenticationInfo"):
        fix = "renew it, and check the clock of this machine"
        return f"Azure does not accept {secret} ({code})", fix
    if error.status_code in (401, 403):
        return f"access denied to {secret} ({code})", _READER
    fix = "run again; if it lasts, look the code up in the Blob Storage reference"
    return f"Azure cannot be read: {code}", fix
