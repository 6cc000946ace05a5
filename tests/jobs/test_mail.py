"""Digests reach a real mail server at most once, whatever fails, and hold no secret."""

from __future__ import annotations

import email
import email.policy
import io
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs import nightly
from jobs.config import read_config
from jobs.contacts import Contact
from jobs.digests import is_due, report_id_of
from jobs.errors import describe
from jobs.journal import Journal
from jobs.journal.mails import Mails
from jobs.journal.quotas import Quotas, Standing
from jobs.mail import MailError
from jobs.mailing import mail_digests
from jobs.night import open_night
from jobs.operations.checks.sources import check_mail
from jobs.progress import PlainProgress
from jobs.settings.mail import Mail
from queries.read import open_generation
from tests.queries.acme import NEWEST_DAY, write_generation
from tests.servers.smtp import PASSWORD, USER, mail_server

if TYPE_CHECKING:
    from datetime import date
    from email.message import EmailMessage

    from jobs.mailing import Tally
    from tests.servers.smtp import Post

TODAY = NEWEST_DAY + timedelta(1)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generation(tmp_path_factory.mktemp("acme") / "000001.duckdb")


@pytest.fixture
def home(tmp_path: Path, generation: Path) -> Path:
    """A state folder with a published generation and three people, one in each of two teams."""
    generations = tmp_path / "state" / "generations"
    generations.mkdir(parents=True)
    os.link(generation, generations / "000001.duckdb")
    (generations / "current").write_text("000001", encoding="ascii")
    people = [
        {"user_id": "u001", "name": "Ada", "email": "ada@acme.example", "team": "vision"},
        {"user_id": "u002", "name": "Bo", "email": "bo@acme.example", "team": "language"},
        {"user_id": "u003", "name": "Cy", "email": "cy@acme.example", "team": None},
    ]
    (tmp_path / "state" / "contacts.json").write_text(json.dumps(people), encoding="utf-8")
    return tmp_path


def configure(home: Path, post: Post | None = None, **more: object) -> Path:
    """Write a config file that mails everyone and the finance department."""
    keys: dict[str, object] = {
        "from_address": "mlspend@acme.example",
        "to": "everyone",
        "finance": ["cfo@acme.example"],
    }
    if post is not None:
        keys |= {"host": "127.0.0.1", "port": post.port, "tls": "none"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in (keys | more).items()]
    (home / "bills").mkdir(exist_ok=True)
    path = home / "mlspend.toml"
    text = '[connectors.focus]\nroot = "bills"\n[mail]\n' + "\n".join(lines) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


def mail(config: Path, *, is_sent: bool = True) -> tuple[Tally, str]:
    """Mail the digests; return what came of it, and what was told."""
    told = io.StringIO()
    with open_night(read_config(config), PlainProgress(told), "mail") as night:
        tally = mail_digests(night, TODAY, is_sent=is_sent)
    assert tally is not None
    return tally, told.getvalue()


def states(home: Path) -> dict[str, str]:
    """Return recipient -> what the journal says came of the mail."""
    with Journal(home / "state" / "journal.sqlite") as journal:
        return {row.recipient: row.state for row in Mails(journal).rows()}


def read(text: bytes) -> EmailMessage:
    return email.message_from_bytes(text, policy=email.policy.default)


def test_everyone_gets_one_digest_with_both_parts_and_a_second_run_sends_none(home: Path) -> None:
    with mail_server(home) as post:
        config = configure(home, post)
        tally, told = mail(config)
        again, _ = mail(config)

    assert tally.ends == {"sent": 3}
    assert again.ends == {"not again": 3}
    assert "1 people get none" in told
    assert [recipient for recipient, _ in post.taken] == [
        "cfo@acme.example",
        "ada@acme.example",
        "bo@acme.example",
    ]
    for recipient, text in post.taken:
        message = read(text)
        assert len(text) < 90_000
        assert message["To"] == recipient
        assert message["Auto-Submitted"] == "auto-generated"
        assert [part.get_content_type() for part in message.walk()][1:] == [
            "text/plain",
            "text/html",
        ]
        for part in list(message.walk())[1:]:
            body = part.get_content()
            assert "Proof by user, whole months: billed" in body
            assert "mlspend sql --named team_spend" in body
    assert str(read(post.taken[1][1])["Subject"]).startswith("vision: ")


def test_a_team_sees_its_own_people_and_of_others_totals_alone(home: Path) -> None:
    with mail_server(home) as post:
        mail(configure(home, post))
    finance, vision, _ = (read(text).get_body(("plain",)) for _, text in post.taken)
    assert finance is not None
    assert vision is not None
    people = section(vision.get_content(), "PEOPLE")
    assert 1 <= len(people) <= 8
    assert set(people) <= people_of("vision", home)
    assert len(section(vision.get_content(), "TEAMS, USD")) > 3
    assert not set(section(finance.get_content(), "PEOPLE")) <= people_of("vision", home)


def section(text: str, title: str) -> list[str]:
    """Return the names of a section's rows."""
    text = text.replace("\r\n", "\n")
    lines = text.split(f"\n{title}\n")[1].split("\n$ ", maxsplit=1)[0].splitlines()
    return [
        line[:44].rstrip() for line in lines if line[:1] not in (" ", "") and line[44:45] == " "
    ]


def people_of(team: str, home: Path) -> set[str]:
    with open_generation(home / "state" / "generations" / "000001.duckdb") as con:
        rows = con.execute(
            "select member_name from marts.members where dimension = 'user' and team = ?", [team]
        ).fetchall()
    return {row[0] for row in rows}


@pytest.mark.parametrize("cut", ["mail", "rcpt"])
def test_what_is_cut_before_the_text_is_sent_by_the_next_night(home: Path, cut: Any) -> None:
    with mail_server(home) as post:
        config = configure(home, post)
        post.cut = cut
        tally, told = mail(config)
        assert tally.ends == {"deferred": 3}
        assert "the next night tries again" in told
        post.cut = ""
        assert mail(config)[0].ends == {"sent": 3}
    assert len(post.taken) == 3


@pytest.mark.parametrize("cut", ["after the text", "taken"])
def test_what_is_cut_after_the_text_is_unknown_and_never_sent_again(home: Path, cut: Any) -> None:
    with mail_server(home) as post:
        config = configure(home, post)
        post.cut = cut
        assert mail(config)[0].ends == {"unknown": 3}
        post.cut = ""
        assert mail(config)[0].ends == {"not again": 3}
    assert len(post.taken) == (3 if cut == "taken" else 0)
    assert set(states(home).values()) == {"unknown"}


def test_one_refused_address_keeps_no_other_from_its_mail(home: Path) -> None:
    with mail_server(home) as post:
        config = configure(home, post)
        post.refusals = {"ada@acme.example": "550 no such user", "bo@acme.example": "451 later"}
        tally, told = mail(config)
        assert tally.ends == {"sent": 1, "refused": 1, "deferred": 1}
        assert "mlspend mail --status" in told
        post.refusals = {}
        assert mail(config)[0].ends == {"sent": 1, "not again": 2}
    assert states(home) == {
        "cfo@acme.example": "sent",
        "ada@acme.example": "refused",
        "bo@acme.example": "sent",
    }


def test_a_text_that_is_put_off_or_refused_is_told_apart(home: Path) -> None:
    with mail_server(home) as post:
        config = configure(home, post)
        post.text_reply = "452 mailbox full"
        assert mail(config)[0].ends == {"deferred": 3}
        post.text_reply = "554 looks like spam"
        assert mail(config)[0].ends == {"refused": 3}
        post.text_reply = ""
        assert mail(config)[0].ends == {"not again": 3}
    assert post.taken == []


KILLED = """
import os, signal, sys
from jobs.config import read_config
from jobs.mail import Server
from jobs.mailing import mail_digests
from jobs.night import open_night
from jobs.operations.checks.sources import check_mail
from jobs.progress import PlainProgress
from datetime import date
send = Server.send
def die(self, message, recipient):
    if sys.argv[3] == "after":
        send(self, message, recipient)
    os.kill(os.getpid(), signal.SIGKILL)
Server.send = die
config = read_config(__import__("pathlib").Path(sys.argv[1]))
with open_night(config, PlainProgress(sys.stderr), "mail") as night:
    mail_digests(night, date.fromisoformat(sys.argv[2]), is_sent=True)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_night_killed_between_intent_and_end_mails_that_one_never_again(
    home: Path, when: str
) -> None:
    with mail_server(home) as post:
        config = configure(home, post)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(config), TODAY.isoformat(), when],
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == -signal.SIGKILL
        assert mail(config)[0].ends == {"sent": 2, "not again": 1}
    assert states(home)["cfo@acme.example"] == "unknown"
    assert len(post.taken) == (3 if when == "after" else 2)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the server does not see its own TLS
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_it_is_sent_by_tls_with_a_password_that_stands_nowhere(
    home: Path, tls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_USER", USER)
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    keys = {"username_env": "SMTP_USER", "password_env": "SMTP_PASSWORD", "tls": tls}
    with mail_server(home, tls=tls) as post:
        config = configure(home, post, **keys, ca_path=post.ca_path)
        tally, told = mail(config)
        assert tally.ends == {"sent": 3}

        monkeypatch.setenv("SMTP_PASSWORD", PASSWORD + "-wrong")
        (home / "state" / "journal.sqlite").unlink()
        with pytest.raises(MailError) as caught:
            mail(config)
    error = describe(caught.value)
    assert "does not let us in" in error
    assert "$SMTP_PASSWORD" in error
    assert PASSWORD not in error + told
    for path in (home / "state").rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_certificate_nobody_vouches_for_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_USER", USER)
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    with mail_server(home, tls="starttls") as post:
        keys = {"username_env": "SMTP_USER", "password_env": "SMTP_PASSWORD", "tls": "starttls"}
        with pytest.raises(MailError, match="certificate or TLS is not accepted"):
            mail(configure(home, post, **keys))
    assert post.taken == []


def test_a_server_that_is_not_there_is_named_and_nothing_is_intended(home: Path) -> None:
    config = configure(home, None, host="127.0.0.1", port=1, tls="none")
    with pytest.raises(MailError, match="cannot be reached"):
        mail(config)
    assert states(home) == {}


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"stale_days": 1}, ""),
        ({"most_mails": 2}, "there are 3 mails to send"),
        ({"host": ""}, "no mail server is configured"),
    ],
)
def test_mails_are_withheld_with_a_reason(home: Path, keys: dict[str, object], why: str) -> None:
    with mail_server(home) as post:
        config = configure(home, post, **keys)
        if not why:
            assert mail(config)[0].ends == {"sent": 3}
            return
        with pytest.raises(MailError, match=why):
            mail(config)
    assert post.taken == []


def test_an_old_bill_is_not_mailed(home: Path) -> None:
    with mail_server(home) as post:
        config = configure(home, post, stale_days=3)
        told = io.StringIO()
        with (
            open_night(read_config(config), PlainProgress(told), "mail") as night,
            pytest.raises(MailError, match="the newest day of the bill"),
        ):
            mail_digests(night, NEWEST_DAY + timedelta(4), is_sent=True)
    assert post.taken == []


def test_without_send_the_digests_are_files_for_their_owner_alone(home: Path) -> None:
    tally, _ = mail(configure(home), is_sent=False)

    folder = Path(tally.folder)
    assert folder == home / "state" / "reports" / TODAY.isoformat() / "mails"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.suffix for path in folder.iterdir()) == [".eml"] * 3 + [".html"] * 3
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert states(home) == {}


def test_a_digest_of_nobody_is_refused(home: Path) -> None:
    config = read_config(configure(home))
    with (
        open_night(config, PlainProgress(io.StringIO()), "mail") as night,
        pytest.raises(MailError, match=r"nobody gets a digest as who@else\.example"),
    ):
        mail_digests(night, TODAY, is_sent=False, only=["who@else.example"])


def test_only_spenders_are_mailed_where_the_config_says_so(home: Path) -> None:
    people = [
        Contact("u001", "Ada", "ada@acme.example", "vision"),
        Contact("nobody", "No Spend", "no@acme.example", "vision"),
    ]
    rows = [
        {"user_id": one.user_id, "name": one.name, "email": one.email, "team": one.team}
        for one in people
    ]
    (home / "state" / "contacts.json").write_text(json.dumps(rows), encoding="utf-8")
    everyone, _ = mail(configure(home, finance=[]), is_sent=False)
    assert everyone.written == 2
    spenders, _ = mail(configure(home, finance=[], to="spenders"), is_sent=False)
    assert spenders.written < 2


def test_a_weekly_digest_is_due_on_its_day_and_is_one_report_all_week() -> None:
    weekly, daily = Mail(send_on="friday"), Mail(send_on="daily")
    friday = NEWEST_DAY + timedelta(1)
    assert f"{friday:%A}" == "Friday"
    assert [is_due(weekly, friday + timedelta(n)) for n in (0, 1)] == [True, False]
    assert is_due(daily, friday)
    assert is_due(daily, friday + timedelta(1))
    one, two = (report_id_of(weekly, NEWEST_DAY, friday + timedelta(n)) for n in (0, 2))
    assert one == two != report_id_of(weekly, NEWEST_DAY, friday + timedelta(3))
    assert report_id_of(daily, NEWEST_DAY, friday) == report_id_of(
        daily, NEWEST_DAY, friday + timedelta(1)
    )


def test_addresses_that_grow_old_are_forgotten(home: Path) -> None:
    with mail_server(home) as post:
        mail(configure(home, post))
    with Journal(home / "state" / "journal.sqlite") as journal:
        Mails(journal).forget_before(TODAY + timedelta(400))
    assert all(name.startswith("(forgotten)") for name in states(home))
    assert len(states(home)) == 3


def test_a_threshold_is_mailed_once_as_soon_as_it_is_reached(home: Path) -> None:
    with mail_server(home) as post:
        teams = {"groups.vision": ["lead@acme.example"]}
        config = configure(home, post, send_on="sunday", **teams)
        reach(home, ("0.8", "mail"))
        assert night(config, NEWEST_DAY) is None, "digests are not due"
        assert night(config, NEWEST_DAY + timedelta(1)) is None
        first = [recipient for recipient, _ in post.taken]
        reach(home, ("0.8", "mail"), ("0.9", "warn"), ("1.0", "enforce"))
        night(config, NEWEST_DAY + timedelta(2))
    assert first == ["cfo@acme.example", "lead@acme.example"]
    subjects = [str(read(text)["Subject"]) for _, text in post.taken]
    assert (
        subjects
        == ["vision has reached 80 % of vision-month"] * 2
        + ["vision has reached 100 % of vision-month"] * 2
    )
    body = read(post.taken[-1][1]).get_content()
    assert "42.50 of 40.00 USD" in body
    assert "running work is never stopped" in body


def reach(home: Path, *reached: tuple[str, str]) -> None:
    """Enter that a team's quota has reached some thresholds."""
    standing = Standing(
        quota="vision-month",
        dimension="team",
        member="vision",
        measure="effective_cost",
        window_start="2026-11-01",
        window_end="2026-12-01",
        state="over",
        threshold=reached[-1][0],
        limit_amount=Decimal(40),
        used_amount=Decimal("42.5"),
        billing_currency="USD",
        reached=reached,
    )
    with Journal(home / "state" / "journal.sqlite") as journal:
        Quotas(journal).enter([standing], "000001")


def night(config: Path, day: date) -> Tally | None:
    """Do a night's mailing."""
    with open_night(read_config(config), PlainProgress(io.StringIO()), "nightly") as opened:
        return nightly.mail(opened, day, is_sent=True)


def test_the_doctor_looks_at_the_mail_server(home: Path) -> None:
    with mail_server(home) as post:
        (fine,) = check_mail(read_config(configure(home, post)))
    assert (fine.verdict, fine.told) == ("ok", f"127.0.0.1:{post.port} answers")
    (gone,) = check_mail(read_config(configure(home, post)))
    assert gone.verdict == "wrong"
    assert "cannot be reached" in gone.told
    (none,) = check_mail(read_config(configure(home)))
    assert none.verdict == "warning"
