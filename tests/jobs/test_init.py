"""`mlspend init`: what is reachable, what is written, and what never is."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from jobs.config import read_config
from tests.jobs.nights import ROOT, run, write_month

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "s3cr3t-canary-7f3a"
NOWHERE = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "PROMETHEUS_URL": "http://127.0.0.1:9"}
NO_AWS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


@contextmanager
def answering(text: str) -> Iterator[str]:
    """Run a server that always answers this; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_flags_make_a_file_that_a_night_accepts_and_nobody_else_reads(tmp_path: Path) -> None:
    write_month(tmp_path / "bills", "2026-10", {1: "1.25"})
    done = run(tmp_path, "init", "--focus", "bills", "--yes", **NOWHERE, **NO_AWS)
    assert done.returncode == 0, done.stderr
    assert "not reached: no AWS credentials that work" in done.stdout
    assert "not reached: MLflow at http://127.0.0.1:9 (MLFLOW_TRACKING_URI)" in done.stdout
    assert "not reached: Prometheus at http://127.0.0.1:9 (PROMETHEUS_URL)" in done.stdout
    assert done.stdout.endswith("next:    mlspend doctor && mlspend nightly\n")
    written = tmp_path / "mlspend.toml"
    assert written.stat().st_mode & 0o777 == 0o600
    assert [source.name for source in read_config(written).sources] == ["focus"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bills", "mlspend.toml"]
    assert run(tmp_path).returncode == 0


def test_a_file_that_is_there_is_written_over_by_force_alone(tmp_path: Path) -> None:
    (tmp_path / "mlspend.toml").write_text("mine", encoding="utf-8")
    refused = run(tmp_path, "init", "--focus", "bills", "--yes", **NOWHERE, **NO_AWS)
    assert refused.returncode == 2
    assert (tmp_path / "mlspend.toml").read_text(encoding="utf-8") == "mine"
    args = ("init", "--focus", "bills", "--yes", "--force")
    assert run(tmp_path, *args, **NOWHERE, **NO_AWS).returncode == 0
    assert 'root = "bills"' in (tmp_path / "mlspend.toml").read_text(encoding="utf-8")
    assert (tmp_path / "mlspend.toml").stat().st_mode & 0o777 == 0o600


def test_nothing_to_read_is_misuse_and_writes_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "init", "--yes", **NOWHERE, **NO_AWS)
    assert done.returncode == 2
    assert "mlspend nightly --demo" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_servers_that_answer_are_found_and_secrets_are_named_not_written(tmp_path: Path) -> None:
    with answering("OK") as mlflow, answering('{"status":"success"}') as prometheus:
        done = run(
            tmp_path,
            *("init", "--yes", "--state-dir", 'with "quotes"'),
            MLFLOW_TRACKING_URI=mlflow,
            MLFLOW_TRACKING_TOKEN=CANARY,
            PROMETHEUS_URL=prometheus,
            **NO_AWS,
        )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "mlspend.toml").read_text(encoding="utf-8")
    assert 'token_env = "MLFLOW_TRACKING_TOKEN"' in text
    assert CANARY not in text + done.stdout + done.stderr
    config = read_config(tmp_path / "mlspend.toml")
    assert [source.kind for source in config.sources] == ["mlflow", "prometheus"]
    assert config.state_dir == tmp_path / 'with "quotes"'


def test_a_server_that_is_another_is_not_taken(tmp_path: Path) -> None:
    with answering("<html>a login page</html>") as other:
        found = run(
            tmp_path,
            *("init", "--yes"),
            MLFLOW_TRACKING_URI=other,
            PROMETHEUS_URL=other,
            **NO_AWS,
        )
    assert found.returncode == 2
    assert "which is not what it would say" in found.stdout


def test_an_address_with_a_password_is_refused(tmp_path: Path) -> None:
    address = f"https://me:{CANARY}@mlflow.example"
    done = run(tmp_path, "init", "--mlflow", address, "--yes", **NOWHERE, **NO_AWS)
    assert done.returncode == 2
    assert CANARY not in done.stdout + done.stderr
    assert not (tmp_path / "mlspend.toml").exists()


def test_a_path_given_here_means_the_same_from_a_file_elsewhere(tmp_path: Path) -> None:
    config = tmp_path / "etc" / "mlspend.toml"
    args = ("init", "--config", str(config), "--focus", "bills", "--state-dir", "var", "--yes")
    done = run(tmp_path, *args, **NOWHERE, **NO_AWS)
    assert done.returncode == 0, done.stderr
    text = config.read_text(encoding="utf-8")
    assert f'root = "{tmp_path / "bills"}"' in text
    assert f'state_dir = "{tmp_path / "var"}"' in text


def test_on_a_terminal_it_asks_and_a_dash_leaves_a_source_out(tmp_path: Path) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "jobs.cli", "init", "--focus", "bills", "--mlflow", "x.db"],
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **NOWHERE, **NO_AWS},
        text=True,
    )
    os.close(child)
    os.write(parent, b"\n\n-\nhttp://prometheus.example\nvar/state\n")
    told, _ = process.communicate(timeout=60)
    os.close(parent)
    assert process.returncode == 0, told
    config = read_config(tmp_path / "mlspend.toml")
    assert [source.kind for source in config.sources] == ["focus", "prometheus"]
    assert config.state_dir == tmp_path / "var" / "state"


AWS_ANSWERS = {
    "DescribeReportDefinitions": {
        "ReportDefinitions": [
            {
                "ReportName": "ml",
                "TimeUnit": "HOURLY",
                "Format": "Parquet",
                "Compression": "Parquet",
                "AdditionalSchemaElements": ["RESOURCES"],
                "S3Bucket": "acme-billing",
                "S3Prefix": "cur/",
                "S3Region": "us-east-1",
            }
        ]
    },
    "ListExports": {
        "Exports": [
            {
                "ExportArn": "arn:aws:bcm-data-exports:us-east-1:123456789012:export/open",
                "ExportName": "open",
                "ExportStatus": {"StatusCode": "HEALTHY"},
            }
        ]
    },
    "GetExport": {
        "Export": {
            "Name": "open",
            "DataQuery": {"QueryStatement": "select * from FOCUS_1_2_AWS"},
            "DestinationConfigurations": {
                "S3Destination": {
                    "S3Bucket": "acme-billing",
                    "S3Prefix": "exports",
                    "S3Region": "us-east-1",
                    "S3OutputConfigurations": {
                        "Compression": "PARQUET",
                        "Format": "PARQUET",
                        "OutputType": "CUSTOM",
                        "Overwrite": "OVERWRITE_REPORT",
                    },
                }
            },
            "RefreshCadence": {"Frequency": "SYNCHRONOUS"},
        }
    },
}
IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>x</UserId>
<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


@contextmanager
def speaking_like_aws(allowed: tuple[str, ...]) -> Iterator[str]:
    """Run a server that speaks the wire formats of STS, CUR and Data Exports (moto lacks two)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            action = self.headers.get("x-amz-target", "").rpartition(".")[2]
            status, text = 200, IDENTITY
            if action:
                status = 200 if action in allowed else 400
                refusal = {"__type": "AccessDeniedException", "message": "not authorized"}
                text = json.dumps(AWS_ANSWERS[action] if action in allowed else refusal)
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def init_at(home: Path, address: str) -> subprocess.CompletedProcess[str]:
    """Set up with the credentials of an AWS that is this server."""
    return run(
        home,
        *("init", "--yes"),
        **NOWHERE,
        AWS_ENDPOINT_URL=address,
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY=CANARY,
        AWS_DEFAULT_REGION="us-east-1",
    )


def test_the_bills_that_aws_writes_are_listed_and_one_form_of_them_is_taken(
    tmp_path: Path,
) -> None:
    with speaking_like_aws(tuple(AWS_ANSWERS)) as address:
        done = init_at(tmp_path, address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "found: ml of AWS account 123456789012: s3://acme-billing/cur/ml" in done.stdout
    assert "found: open of AWS account 123456789012" in done.stdout
    text = (tmp_path / "mlspend.toml").read_text(encoding="utf-8")
    assert '[connectors.focus]\nroot = "s3://acme-billing/exports/open"' in text
    assert '# [connectors.aws_cur] root = "s3://acme-billing/cur/ml"' in text
    assert [source.kind for source in read_config(tmp_path / "mlspend.toml").sources] == ["focus"]
    assert CANARY not in text + done.stdout + done.stderr


def test_what_aws_does_not_let_us_ask_is_told_with_the_right_that_lacks(tmp_path: Path) -> None:
    with speaking_like_aws(("DescribeReportDefinitions",)) as address:
        done = init_at(tmp_path, address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bcm-data-exports may not be asked (bcm-data-exports:ListExports" in done.stdout
    text = (tmp_path / "mlspend.toml").read_text(encoding="utf-8")
    assert '[connectors.aws_cur]\nroot = "s3://acme-billing/cur/ml"' in text
