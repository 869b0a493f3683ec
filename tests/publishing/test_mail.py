"""The digest by mail, taken by a real server: what it says, how it is sent, and what is told where it is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from mail_server import MailServer, make_certificate, serving
from pages import words

from features.core.errors import DeliveryError, SettingsError
from pipeline.publishing.digest import as_text, message
from pipeline.publishing.mail import send
from pipeline.settings.leads import Mail

PASSWORD = "correct horse battery"  # noqa: S105 - of a server that lives as long as the test
DIGEST: dict[str, Any] = {
    "language": "en",
    "model_version": "abc",
    "as_of": "1 July 2026",
    "standing": [],
    "expected": "Of 2,190 leads open on 1 July 2026, about 79 should become customers within 30 days (62 to 96).",
    "month": "June 2026",
    "tiles": [
        {"label": "New leads", "figure": "663", "before": "May 2026: 688", "objective": "objective: 600"},
        {"label": "Revenue", "figure": "€182,000", "before": "May 2026: €171,411", "objective": "no objective set"},
    ],
    "moved": ["663 new leads in June 2026 <b>& more</b>.", "Nothing else."],
    "trust": "The chances are kept.",
    "called": 16,
}


def mail_of(server: MailServer, /, **settings: object) -> Mail:
    content: dict[str, Any] = {
        "server": "localhost", "port": server.port, "encryption": "none", "from": "leads@example.com",
        "to": ["marketing@example.com", "direction@example.com"],
        "link": "https://intranet.example.com/leads/{page}?from=mail",
    }  # fmt: skip
    return Mail.model_validate(content | settings)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def plain() -> Iterator[MailServer]:
    with serving(MailServer()) as server:
        yield server


def test_what_arrives_is_the_digest_as_text_and_as_html(plain: MailServer) -> None:
    mail = mail_of(plain)
    send(mail, message(DIGEST, mail))
    assert plain.envelopes == [("leads@example.com", ["marketing@example.com", "direction@example.com"])]
    (received,) = plain.received
    assert received["Subject"] == "Leads, sales and money: 1 July 2026"
    assert received["To"] == "marketing@example.com, direction@example.com"
    assert received["Message-ID"].endswith("@example.com>")
    text, html = (part.get_content().replace("\r\n", "\n") for part in received.iter_parts())
    assert text == as_text(DIGEST, "https://intranet.example.com/leads/index.html?from=mail")
    assert text.splitlines()[6:9] == [
        "June 2026",
        "  New leads       663  May 2026: 688       objective: 600",
        "  Revenue    €182,000  May 2026: €171,411  no objective set",
    ]
    assert text.splitlines()[-3:] == [
        "16 leads are on the list of sales.",
        "",
        "Open the pages: https://intranet.example.com/leads/index.html?from=mail",
    ]
    assert max(map(len, text.splitlines())) <= 78
    told = unescape(words(html))
    for said in (DIGEST["expected"], *DIGEST["moved"], DIGEST["trust"], "€182,000", "objective: 600"):
        assert said in told
        assert " ".join(said.split()) in " ".join(text.split())
    assert "<b>& more" not in html, "what it says is shown, and no markup"
    assert 'href="https://intranet.example.com/leads/index.html?from=mail"' in html
    assert "http" not in html.replace("https://intranet.example.com/leads/index.html?from=mail", ""), "no network"


def test_costs_that_lack_are_said_below_the_figures_that_they_make_cheap(plain: MailServer) -> None:
    told = "Costs are entered up to 12 June 2026 only."
    made = message(DIGEST | {"lacking": [told]}, mail_of(plain))
    for part in made.iter_parts():
        text = " ".join(part.get_content().split())
        assert text.index("€182,000") < text.index(told) < text.index("Nothing else.")


def test_a_wrong_model_is_said_first_and_a_first_month_has_no_figures(plain: MailServer) -> None:
    mail = mail_of(plain, link=None)
    digest = DIGEST | {"language": "fr", "standing": ["x < y"], "tiles": [], "moved": [], "month": None, "called": 1}
    send(mail, message(digest, mail))
    text, html = (part.get_content() for part in plain.received[0].iter_parts())
    assert plain.received[0]["Subject"] == "Leads, ventes et budget\N{NO-BREAK SPACE}: 1 July 2026"
    assert text.index("x < y") < text.index(DIGEST["expected"][:20])
    assert "x &lt; y" in html
    assert text.rstrip().endswith("1 lead est sur la liste des commerciaux.")
    assert "href" not in html


def test_nothing_is_said_in_the_open_where_the_server_encrypts(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("SMTP_SERVER", "localhost")
    monkeypatch.setenv("SMTP_USER", "anna")
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    who = {"server": "$SMTP_SERVER", "user": "$SMTP_USER", "password": "$SMTP_PASSWORD"}
    for is_tls in (False, True):
        with serving(MailServer(certificate, is_tls, ("anna", PASSWORD))) as server:
            mail = mail_of(server, encryption="tls" if is_tls else "starttls", **who)
            send(mail, message(DIGEST, mail))
            assert len(server.received) == 1
            open_words = [line.split()[0].lower() for line in server.in_the_open if line.strip()]
            assert open_words == ([] if is_tls else [b"ehlo", b"starttls"])


@pytest.mark.parametrize(
    ("server", "settings", "told"),
    [
        ({"refused": {"greeting": b"554 go away"}}, {}, r"refuses the mail \(554 go away\); ask whoever runs it"),
        ({"refused": {"MAIL": b"550 not you"}}, {}, r"refuses publish.mail.from \(550 not you\); take an address"),
        ({"login": ("anna", PASSWORD)}, {}, r"refuses publish.mail.from \(530 5.7.0 log in first\); .* or log in"),
        ({"refused": {"RCPT": b"550 5.1 <a@b.c>: who?"}}, {}, r"nobody in publish.mail.to \(550 5.1 <\*\*\*>: who"),
        ({"refused": {"DATA": b"552 too much"}}, {}, r"refuses the mail \(552 too much\)"),
        (
            {"refused": {"direction@example.com": b"550 unknown"}},
            {},
            r"not for 1 of 2 addresses \(number 2: 550 unknown\); correct them: the others have it",
        ),
        ({}, {"encryption": "starttls"}, r"does not offer STARTTLS; take its encrypted port"),
        ({}, {"encryption": "tls"}, r"does not speak TLS like that; port 587 mostly has encryption: starttls"),
    ],
)  # fmt: skip
def test_what_a_server_refuses_is_told_with_what_to_mend(
    server: dict[str, Any], settings: dict[str, object], told: str
) -> None:
    with serving(MailServer(**server)) as listening:
        mail = mail_of(listening, **settings)
        with pytest.raises(DeliveryError, match=rf"^publish\.mail(\.to)?: .*{told}"):
            send(mail, message(DIGEST, mail))


def test_a_wrong_password_is_told_and_neither_it_nor_the_user_is(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    who = {"encryption": "starttls", "user": "anna-the-sender", "password": "$SMTP_PASSWORD"}
    with serving(MailServer(certificate, login=("anna-the-sender", PASSWORD))) as server:
        mail = mail_of(server, **who)
        monkeypatch.delenv("SMTP_PASSWORD", raising=False)
        with pytest.raises(SettingsError, match=r"^publish.mail.password: the .* variable SMTP_PASSWORD is not set"):
            send(mail, message(DIGEST, mail))
        monkeypatch.setenv("SMTP_PASSWORD", "wrong-one")
        expected = r"refuses user and password \(535 5.7.8 no such user \*\*\*\); check .* what \$SMTP_PASSWORD holds"
        with pytest.raises(DeliveryError, match=expected) as raised:
            send(mail, message(DIGEST, mail))
        assert "wrong-one" not in str(raised.value)
        assert "anna" not in str(raised.value)
    with serving(MailServer(certificate)) as server:
        mail = mail_of(server, **who)
        with pytest.raises(DeliveryError, match="takes no user and password; leave both out"):
            send(mail, message(DIGEST, mail))


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_server_whose_certificate_nobody_trusts_gets_no_mail(certificate: Path, *, is_tls: bool) -> None:
    with serving(MailServer(certificate, is_tls)) as server:
        mail = mail_of(server, encryption="tls" if is_tls else "starttls")
        with pytest.raises(DeliveryError, match=r"can't be trusted \(self.signed certificate\); .*SSL_CERT_FILE"):
            send(mail, message(DIGEST, mail))
        assert server.received == []


def test_a_server_that_is_not_there_is_told(plain: MailServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mail = mail_of(plain, port=free.getsockname()[1])
        with pytest.raises(DeliveryError, match=r"is no mail server that answers \(Connection refused\); check server"):
            send(mail, message(DIGEST, mail))
    nowhere = mail_of(plain, server="mail.invalid")
    with pytest.raises(DeliveryError, match=r"mail\.invalid:\d+ is the name of no server; check publish\.mail\.server"):
        send(nowhere, message(DIGEST, nowhere))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"to": ["Anna <a@example.com>"]}, "is no mail address"),
        ({"from": "a@b.c\nBcc: d@e.f"}, "is no mail address"),
        ({"to": []}, "at least 1 item"),
        ({"user": "anna"}, "user and password belong together"),
        ({"user": "anna", "password": "$P"}, "would send the password in the open"),
        ({"user": "anna", "password": "secret", "encryption": "tls"}, "must name an environment variable"),
        ({"link": "intranet/{page}"}, "must begin with https"),
        ({"port": 0}, "greater than or equal to 1"),
        ({}, None),
    ],
)
def test_settings_that_can_t_be_are_told(settings: dict[str, object], told: str | None) -> None:
    expecting: AbstractContextManager[object] = pytest.raises(ValueError, match=told) if told else nullcontext()
    with expecting:
        mail_of(MailServer(port=25), **settings)
