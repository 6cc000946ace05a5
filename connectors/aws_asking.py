"""Asking AWS, through boto3: pages, patience, roles, and what becomes of a refusal.

An answer is kept as AWS gave it, a page at a time. A call that is refused, or that a region does
not offer, leaves an answer that says so: what could not be looked at is unknown, never empty.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from urllib3.exceptions import HTTPError

from connectors.aws_calls import Answer
from connectors.aws_halves import ask_halves_again
from connectors.base import SourceError
from connectors.tally import count_boto, shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.aws_calls import Call, Json

_ATTEMPTS = 10
_AT_ONCE = 8
_NOBODY = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, TokenRetrievalError)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "Client.UnauthorizedOperation",
        "UnauthorizedOperation",
    }
)
_NO_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True)
class Account:
    """An account, as boto3's credentials or a role in it let us see it."""

    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    page_size: int = 500

    def ask(self, calls: Sequence[Call], region_id: str) -> list[Answer]:
        """Make calls in a region, in their order.

        Raises: SourceError for credentials that AWS does not accept.
        """
        answers: list[Answer] = []
        for call in calls:
            answers += self._ask(call, region_id, answers)
        return answers

    def _ask(self, call: Call, region_id: str, before: Sequence[Answer]) -> Iterator[Answer]:
        told = "" if call.is_global else region_id
        if call.of is None:
            yield from self._pages(call, region_id, told, {})
            return
        parent, items, key = call.of
        listed = [a.page for a in before if a.page and a.call.name == parent]
        ids = [
            str(item[key])
            for page in listed
            for item in page.get(items, ())
            if call.unless not in item
        ]
        if not ids:
            yield Answer(call, told, {}, None)
            return
        requests = [{call.param: one} for one in (_batches(ids, call.batch) if call.batch else ids)]
        first = list(self._pages(call, region_id, told, requests[0]))
        yield from first
        if first[-1].error not in _DENIED:  # one refusal speaks for all of them
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                ask = shared(lambda asked: list(self._pages(call, region_id, told, asked)))
                for found in pool.map(ask, requests[1:]):
                    yield from found

    def _pages(
        self, call: Call, region_id: str, told: str, asked: Mapping[str, Any]
    ) -> Iterator[Answer]:
        try:
            client = self._client(call.service, region_id)
            for page in _pages_of(client, call, {**call.params, **asked}, self.page_size):
                page.pop("ResponseMetadata", None)
                yield Answer(call, told, asked, page)
        except ClientError as error:
            yield self._refused(error, call, told, asked)
        except (BotoCoreError, HTTPError) as error:
            if isinstance(error, _NOBODY):
                raise _no_credentials(type(error).__name__) from error
            yield Answer(call, told, asked, None, type(error).__name__, str(error))

    def _refused(
        self, error: ClientError, call: Call, told: str, asked: Mapping[str, Any]
    ) -> Answer:
        told_error = error.response.get("Error", {})
        code, said = str(told_error.get("Code", "")), str(told_error.get("Message", ""))
        if code in _NO_CREDENTIALS:
            raise _no_credentials(code) from error
        if asked and (code.endswith(("NotFound", "NotFoundException")) or code == "NoSuchBucket"):
            return Answer(call, told, asked, None)  # it has gone since it was listed
        return Answer(call, told, asked, None, code or "Unknown", said)

    @cached_property
    def account_id(self) -> str:
        """The account's number.

        Raises: SourceError where there are no credentials, or the role may not be assumed.
        """
        try:
            found: str = self._client("sts", "").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise _no_identity(error) from error
        return found

    @cached_property
    def _session(self) -> Any:
        """The session of boto3's own chain, or of the role.

        Raises: SourceError where the role may not be assumed.
        """
        try:
            session = boto3.session.Session()
            if not self.role_arn:
                return session
            named = {"RoleArn": self.role_arn, "RoleSessionName": "mlspend-inventory"}
            if self.external_id:
                named["ExternalId"] = self.external_id
            options = self._options(session.region_name or "us-east-1")
            given = count_boto(session.client("sts", **options)).assume_role(**named)["Credentials"]
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise _no_identity(error, self.role_arn) from error
        return boto3.session.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=session.region_name,
        )

    @cached_property
    def _clients(self) -> dict[tuple[str, str], Any]:
        return {}

    def _client(self, service: str, region_id: str) -> Any:
        key = (service, region_id or self.home)
        if key not in self._clients:
            client = self._session.client(service, **self._options(key[1]))
            self._clients[key] = ask_halves_again(count_boto(client))
        return self._clients[key]

    @property
    def home(self) -> str:
        """The region that is asked what belongs to none."""
        return self._session.region_name or "us-east-1"

    def _options(self, region_id: str) -> dict[str, Any]:
        config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "adaptive", "max_attempts": _ATTEMPTS},
            max_pool_connections=_AT_ONCE,
        )
        address = {"endpoint_url": self.endpoint_url} if self.endpoint_url else {}
        return {"region_name": region_id, "config": config, **address}


def _pages_of(client: Any, call: Call, params: Mapping[str, Any], page_size: int) -> Iterator[Json]:
    if call.most and client.can_paginate(call.operation):
        size = min(page_size, call.most)
        pages = client.get_paginator(call.operation)
        yield from pages.paginate(**params, PaginationConfig={"PageSize": size})
    else:
        yield getattr(client, call.operation)(**params)


def _batches(ids: Sequence[str], size: int) -> list[Sequence[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def complain(answers: Sequence[Answer], where: str) -> None:
    """Name what is unknown, with the permissions that are wanting.

    Raises: SourceError
    """
    wants = list(_wanting(answers))
    if wants:
        kinds = list(dict.fromkeys(kind for kind, _, _ in wants))
        fixes = list(dict.fromkeys(fix for _, _, fix in wants))
        fixes.append(f"or leave it out: without = {json.dumps(kinds)}")
        raise SourceError(
            f"unknown, because AWS refused: {', '.join(kinds)} "
            f"({'; '.join(what for _, what, _ in wants)})",
            where=f"[connectors.aws_inventory] {where}",
            fix="; ".join(fixes),
        )


def _wanting(answers: Sequence[Answer]) -> Iterator[tuple[str, str, str]]:
    """Yield what was refused, once per kind and reason: kind, reason, fix."""
    places: dict[tuple[str, str, str], set[str]] = {}
    for answer in answers:
        if answer.error:
            what = f"{answer.call.name} answers {answer.error}"
            fix = (
                f"grant {answer.call.permission}"
                if answer.error in _DENIED
                else f"look the code up: {answer.said[:200] or 'AWS says no more'}"
            )
            key = (answer.call.resource_type, what, fix)
            places.setdefault(key, set()).add(answer.region_id or "all regions")
    for (kind, what, fix), regions in places.items():
        yield kind, f"{what} in {_some(sorted(regions))}", fix


def _some(names: Sequence[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _no_credentials(code: str) -> SourceError:
    return SourceError(
        f"AWS does not accept the credentials, or there are none ({code})",
        where="[connectors.aws_inventory]",
        fix="give the machine a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY; renew them if they have run out",
    )


def _no_identity(error: Exception, role_arn: str = "") -> SourceError:
    code = type(error).__name__
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", code))
    if isinstance(error, _NOBODY) or code in _NO_CREDENTIALS:
        return _no_credentials(code)
    if not isinstance(error, ClientError):
        return SourceError(
            f"AWS does not answer ({code})",
            where="[connectors.aws_inventory]",
            fix="check the network, the region, and endpoint_url if it is set",
        )
    return SourceError(
        f"the role may not be assumed, or the account not be asked for ({code})",
        where=f"[connectors.aws_inventory] role_arn = {role_arn}",
        fix="grant sts:AssumeRole on it, and let the role's trust policy name this machine",
    )
