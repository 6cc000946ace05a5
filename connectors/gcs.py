"""Google Cloud Storage: listing, checksums, and reading in pieces that are each asked for again.

An object's generation changes with every write; each piece is asked for with the generation that
was listed, so that two versions never mix. Most objects tell their MD5; one that was composed of
parts tells none. Bytes come as they are stored: what Google would unpack on the way is not.

The official client obeys STORAGE_EMULATOR_HOST, for stores that speak like Google's.

Source: https://docs.cloud.google.com/storage/docs/json_api/v1/objects
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import google.auth
from google.api_core.exceptions import (
    Forbidden,
    GoogleAPIError,
    NotFound,
    PreconditionFailed,
    Unauthorized,
)
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage  # type: ignore[attr-defined]
from requests.exceptions import RequestException

from connectors.base import Checksum, Format, SourceError
from connectors.pieces import open_in_pieces
from connectors.stored import StoredFile, changed_since, format_of
from connectors.tally import count_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_SECONDS = 60
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_ERRORS = (GoogleAPIError, GoogleAuthError, RequestException, OSError)


class GoogleStore:
    """The objects under a prefix of one bucket."""

    keeps_times = True

    def __init__(self, bucket: str, prefix: str) -> None:
        """Name the bucket and the prefix; the first listing connects."""
        self.bucket = bucket
        self.prefix = prefix

    @property
    def root(self) -> str:
        """The address, as configured."""
        return f"gs://{self.bucket}/{self.prefix}".rstrip("/")

    @cached_property
    def client(self) -> storage.Client:
        """Connect with the credentials that Google's library finds, and for reading alone."""
        # the client would ask for the bucket's metadata on the side, which takes a right more
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        try:
            credentials, _ = google.auth.default(scopes=[_SCOPE])
            client = storage.Client(project=None, credentials=credentials)
            count_session(client._http)  # noqa: SLF001 - the session has no other name
        except _ERRORS as error:
            raise refusal(error, self.root) from error
        return client

    def files(self) -> Sequence[StoredFile]:
        """List every object, in the order of names.

        Raises: SourceError where the bucket is not there or may not be listed.
        """
        start = f"{self.prefix}/" if self.prefix else ""
        try:
            found = [
                self._listed(blob, start)
                for blob in self.client.list_blobs(self.bucket, prefix=start, timeout=_SECONDS)
                if not blob.name.endswith("/")
            ]
        except _ERRORS as error:
            raise refusal(error, self.root) from error
        return sorted(found, key=lambda file: file.name)

    def _listed(self, blob: storage.Blob, start: str) -> GoogleFile:
        return GoogleFile(
            store=self,
            key=blob.name,
            name=blob.name[len(start) :],
            size=blob.size,
            modified=blob.updated.astimezone(UTC),
            generation=blob.generation,
            md5=base64.b64decode(blob.md5_hash or "").hex(),
        )


@dataclass(frozen=True, slots=True)
class GoogleFile:
    """An object, as it was when it was listed."""

    store: GoogleStore = field(repr=False)
    key: str
    name: str
    """From the root."""
    size: int
    modified: datetime
    generation: int
    md5: str
    """Empty where Google does not know it."""

    @property
    def format(self) -> Format:
        """How the bytes are to be read, by the end of the name."""
        return format_of(self.name)

    @property
    def stamp(self) -> str:
        """The generation."""
        return str(self.generation)

    @property
    def checksum(self) -> Checksum | None:
        """The MD5, where Google knows it."""
        return Checksum("md5", self.md5) if self.md5 else None

    @property
    def where(self) -> str:
        """The address, for errors."""
        return f"gs://{self.store.bucket}/{self.key}"

    def open(self) -> BinaryIO:
        """Open the bytes; what breaks off is asked for again.

        Raises: SourceError where the object has gone, has changed, or may not be read; so does
            reading.
        """
        return open_in_pieces(self._fetch, self.size, self.where)

    def _fetch(self, position: int, length: int) -> bytes:
        blob = self.store.client.bucket(self.store.bucket).blob(self.key)
        try:
            piece: bytes = blob.download_as_bytes(
                start=position,
                end=position + length - 1,
                raw_download=True,
                if_generation_match=self.generation,
                checksum=None,
                single_shot_download=True,
                timeout=_SECONDS,
            )
        except (NotFound, PreconditionFailed) as error:
            _let_go(error)
            raise changed_since(self.where) from error
        except _ERRORS as error:
            raise refusal(error, self.where) from error
        return piece


def refusal(error: Exception, where: str) -> SourceError:
    """Say what Google refused, and which role or setting is wanting."""
    _let_go(error)
    if isinstance(error, NotFound):
        return SourceError(
            "there is no such bucket", where=where, fix="mend the root in the config file"
        )
    if isinstance(error, Forbidden):
        return SourceError(
            f"access denied: {_said(error)}",
            where=where,
            fix="grant Storage Object Viewer on the bucket to the identity that mlspend runs as",
        )
    if isinstance(error, (GoogleAuthError, Unauthorized)):
        return SourceError(
            f"Google does not know us: {_said(error)}",
            where=where,
            fix="let GOOGLE_APPLICATION_CREDENTIALS name a key file, or run as a service account",
        )
    return SourceError(
        f"Google's storage does not answer: {_said(error)}",
        where=where,
        fix="run again; what has landed stays in force",
    )


def _let_go(error: Any) -> None:
    """Close the answer that an error came with: the client leaves it open."""
    answer = getattr(error, "response", None)
    if answer is not None:
        answer.close()


def _said(error: Any) -> str:
    """Return what Google says is wrong, without the address that was asked."""
    stated = [each for each in getattr(error, "errors", ()) if isinstance(each, dict)]
    told = next((each["message"] for each in stated if "message" in each), None)
    text = str(told or type(error).__name__)
    return text.splitlines()[0][:300]
