"""S3 and the stores that speak like it: listing, checksums, and reading that survives a cut line.

Two facts surprise. An ETag is the MD5 of the bytes only for an object that was put in one piece
and is not encrypted with a key of its own, so each object is asked before its ETag is believed. And
a read that ends early looks like the end of the file: what has come is counted, the rest is asked
for again from there, and the ETag is demanded each time so that two versions never mix.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
"""

from __future__ import annotations

import base64
import io
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    FlexibleChecksumError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from urllib3.exceptions import HTTPError

from connectors.base import Checksum, Format, SourceError
from connectors.stored import StoredFile, changed_since, format_of
from connectors.tally import count_boto

if TYPE_CHECKING:
    from collections.abc import Sequence

_ATTEMPTS = 5
_MD5 = re.compile(r"[0-9a-f]{32}")
_PERMISSIONS = {
    "list": "s3:ListBucket on the bucket",
    "read": "s3:GetObject on the objects under the prefix (and kms:Decrypt on their key, if they "
    "are encrypted with one)",
}


class S3Store:
    """The objects under a prefix of one bucket."""

    keeps_times = True

    def __init__(self, bucket: str, prefix: str) -> None:
        """Name the bucket and the prefix; the first listing connects."""
        self.bucket = bucket
        self.prefix = prefix

    @property
    def root(self) -> str:
        """The address, as configured."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @cached_property
    def client(self) -> Any:
        """Connect as boto3 is configured: environment, profile or role."""
        retries = {"mode": "standard", "max_attempts": _ATTEMPTS}
        config = Config(connect_timeout=10, read_timeout=60, retries=retries)
        try:
            return count_boto(boto3.session.Session().client("s3", config=config))
        except BotoCoreError as error:
            raise _source_error(error, "list", self.root) from error

    def files(self) -> Sequence[StoredFile]:
        """List every object, in the order of names.

        Raises: SourceError where the bucket is not there or may not be listed.
        """
        start = f"{self.prefix}/" if self.prefix else ""
        pages = self.client.get_paginator("list_objects_v2")
        try:
            found = [
                self._listed(row, start)
                for page in pages.paginate(Bucket=self.bucket, Prefix=start)
                for row in page.get("Contents", ())
                if not row["Key"].endswith("/")
            ]
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise _source_error(error, "list", self.root) from error
        return sorted(found, key=lambda file: file.name)

    def _listed(self, row: dict[str, Any], start: str) -> S3File:
        return S3File(
            store=self,
            key=row["Key"],
            name=row["Key"][len(start) :],
            size=row["Size"],
            modified=row["LastModified"].astimezone(UTC),
            etag=row["ETag"],
        )


@dataclass(frozen=True, slots=True)
class S3File:
    """An object, as it was when it was listed."""

    store: S3Store = field(repr=False)
    key: str
    name: str
    """From the root."""
    size: int
    modified: datetime
    etag: str
    """With its quotes."""

    @property
    def format(self) -> Format:
        """How the bytes are to be read, by the end of the name."""
        return format_of(self.name)

    @property
    def stamp(self) -> str:
        """The ETag."""
        return self.etag.strip('"')

    @property
    def checksum(self) -> Checksum | None:
        """The SHA-256 that the object was put with, else its MD5 where the ETag is one.

        Raises: SourceError where the object may not be read.
        """
        try:
            head = self.store.client.head_object(
                Bucket=self.store.bucket, Key=self.key, ChecksumMode="ENABLED"
            )
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise _source_error(error, "read", self.where) from error
        stated = head.get("ChecksumSHA256", "")
        if stated and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
            return Checksum("sha256", base64.b64decode(stated).hex())
        is_plain = head.get("ServerSideEncryption", "AES256") == "AES256"
        if is_plain and "SSECustomerAlgorithm" not in head and _MD5.fullmatch(self.stamp):
            return Checksum("md5", self.stamp)
        return None

    @property
    def where(self) -> str:
        """The address, for errors."""
        return f"s3://{self.store.bucket}/{self.key}"

    def open(self) -> BinaryIO:
        """Open the bytes; a cut line is taken up again where it broke.

        Raises: SourceError where the object has gone, has changed, or may not be read; so does
            reading, when the line breaks again and again.
        """
        return cast("BinaryIO", io.BufferedReader(_Resuming(self), 1 << 20))


class _Resuming(io.RawIOBase):
    """Reads one object to its stated size, over as many connections as that takes."""

    def __init__(self, file: S3File) -> None:
        self._file = file
        self._position = 0
        self._failures = 0
        self._body = self._connect()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._position < self._file.size:
            try:
                chunk = self._body.read(len(buffer))
            except FlexibleChecksumError as error:
                raise _damaged(self._file) from error
            except (BotoCoreError, HTTPError, OSError) as error:
                self._reconnect(error)
                continue
            if chunk:
                self._position += len(chunk)
                buffer[: len(chunk)] = chunk
                return len(chunk)
            self._reconnect(None)
        return 0

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()

    def _reconnect(self, error: Exception | None) -> None:
        """Ask for the rest, a little later each time.

        Raises: SourceError after the last attempt.
        """
        self._body.close()
        self._failures += 1
        if self._failures >= _ATTEMPTS:
            raise SourceError(
                f"the line broke {self._failures} times, the last time after "
                f"{self._position} of {self._file.size} bytes",
                where=self._file.where,
                fix="run again when the network is better; the last good delivery stays in force",
            ) from error
        time.sleep(0.1 * 2**self._failures)
        self._body = self._connect()

    def _connect(self) -> Any:
        rest = {"Range": f"bytes={self._position}-"} if self._position else {}
        file = self._file
        try:
            answer = file.store.client.get_object(
                Bucket=file.store.bucket, Key=file.key, IfMatch=file.etag, **rest
            )
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise _source_error(error, "read", file.where) from error
        return answer["Body"]


def _damaged(file: S3File) -> SourceError:
    return SourceError(
        "the bytes that came are not the bytes that S3 states the checksum of",
        where=file.where,
        fix="run again; the last good delivery stays in force",
    )


def _source_error(error: Exception, act: str, where: str) -> SourceError:
    """Say what S3 refused, and which permission or setting is wanting."""
    if isinstance(error, ClientError):
        return _refusal(error, act, where)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
        return SourceError(
            "there are no AWS credentials",
            where=where,
            fix="give the machine a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY",
        )
    if isinstance(error, EndpointConnectionError):
        return SourceError(
            "nothing answers at the S3 endpoint",
            where=where,
            fix="check the network, the region, and AWS_ENDPOINT_URL if it is set",
        )
    return SourceError(
        f"S3 cannot be read: {type(error).__name__}",
        where=where,
        fix="run again; if it lasts, check the network and the configuration of AWS",
    )


def _refusal(error: ClientError, act: str, where: str) -> SourceError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in ("NoSuchBucket", "InvalidBucketName"):
        return SourceError(
            "there is no such bucket", where=where, fix="mend `root` in the config file"
        )
    if code in ("NoSuchKey", "404"):
        return SourceError("an object has gone since it was listed", where=where, fix="run again")
    if code in ("PreconditionFailed", "412"):
        return changed_since(where)
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        return SourceError(
            f"access denied: the credentials may not {act} this",
            where=where,
            fix=f"grant {_PERMISSIONS[act]}",
        )
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
        return SourceError(
            f"AWS does not accept the credentials ({code})",
            where=where,
            fix="renew them, and check the clock of this machine",
        )
    return SourceError(
        f"S3 refused to {act}: {code}",
        where=where,
        fix="run again; if it lasts, look the code up in the S3 API reference",
    )
