"""Where files are delivered: a folder, a bucket of S3 and its like, of Google's, or Azure's blobs.

A store lists what lies under its root and opens it for one reading. Each kind is a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from connectors.addresses import bucket_of, is_azures
from connectors.base import SourceError
from connectors.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.stored import StoredFile


class Store(Protocol):
    """A root that files are delivered under."""

    @property
    def root(self) -> str:
        """The root as configured; errors quote it."""
        ...

    @property
    def keeps_times(self) -> bool:
        """Whether `modified` is when the source wrote a file, and not when it was copied here."""
        ...

    def files(self) -> Sequence[StoredFile]:
        """List every file under the root, named from there with `/`, in the order of names.

        Raises: SourceError where the root is not there or may not be read.
        """
        ...


def open_store(root: str, credential_env: str = "") -> Store:
    """Return the store at a folder, `s3://`, `gs://bucket/prefix` or `az://account/container/prefix`.

    Nothing is read yet. `credential_env` names a variable with a secret, which only Azure asks for.

    Raises: SourceError for any other kind of address.
    """
    scheme, mark, _ = root.partition("://")
    if not mark:
        return FolderStore(root)
    if scheme.lower() == "s3":
        from connectors.s3 import S3Store  # noqa: PLC0415  (boto3 is slow to load)

        return S3Store(*bucket_of(root))
    if scheme.lower() == "gs":
        from connectors.gcs import GoogleStore  # noqa: PLC0415  (slow to load as well)

        return GoogleStore(*bucket_of(root))
    if is_azures(root):
        from connectors.azure_blob import AzureBlobStore  # noqa: PLC0415  (slow to load too)

        return AzureBlobStore(root, credential_env)
    raise SourceError(
        f"{scheme}:// is not a kind of store that mlspend reads",
        where=root,
        fix="give a folder, s3://bucket/prefix, gs://bucket/prefix, or az://account/container/prefix",
    )
