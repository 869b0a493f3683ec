"""A mail to a server: encrypted unless it is on this machine, and every refusal told with what to mend."""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
from email.message import EmailMessage

from features.core.errors import DeliveryError, SettingsError
from pipeline.settings.leads import Mail

_PATIENCE = 30
"""Seconds that a server has to answer."""
_PLACE = "publish.mail"


def held(text: str, place: str) -> str:
    """Give what the settings say or, where that is $NAME, what the environment variable holds.

    Raises SettingsError where it is not set.
    """
    if not text.startswith("$"):
        return text
    name = text.strip("${}")
    value = os.environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"{place}: the environment variable {name} is not set; set it where leadcast publish runs")
    return value


def check(mail: Mail) -> None:
    """Raise SettingsError where an environment variable that the mail needs is not set."""
    for place, text in (("server", mail.server), ("user", mail.user), ("password", mail.password)):
        if text is not None:
            held(text, f"{_PLACE}.{place}")


def send(mail: Mail, message: EmailMessage) -> None:
    """Hand a mail to the server.

    Raises SettingsError where a variable is not set, DeliveryError where the server is not there, is not to be trusted,
    or refuses; neither names a secret.
    """
    check(mail)
    server = held(mail.server, _PLACE)
    secrets = [held(text, _PLACE) for text in (mail.user, mail.password) if text is not None]
    try:
        with _connected(mail, server) as connection:
            if mail.encryption == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if secrets:
                connection.login(*secrets)
            refused = connection.send_message(message, mail.sender, mail.to)
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise _refusal(mail, f"{server}:{mail.port}", secrets, error) from None
    if refused:
        listed = ", ".join(str(mail.to.index(one) + 1) for one in refused)
        answer = _answer(*next(iter(refused.values())), secrets)
        raise DeliveryError(
            f"{_PLACE}.to: the server has taken the mail, but not for {len(refused)} of {len(mail.to)} addresses "
            f"(number {listed}: {answer}); correct them: the others have it"
        )


def _connected(mail: Mail, server: str) -> smtplib.SMTP:
    if mail.encryption == "tls":
        return smtplib.SMTP_SSL(server, mail.port, timeout=_PATIENCE, context=ssl.create_default_context())
    return smtplib.SMTP(server, mail.port, timeout=_PATIENCE)


def _refusal(mail: Mail, where: str, secrets: list[str], error: Exception) -> DeliveryError:
    """Say in our own words what went wrong, and what to mend."""
    told = _said_no(mail, error, secrets) or _not_reached(error)
    return DeliveryError(f"{_PLACE}: {where} {told}")


def _said_no(mail: Mail, error: Exception, secrets: list[str]) -> str | None:
    """Say what a server that answers refuses; None where it is not that."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            answer = _answer(*next(iter(error.recipients.values())), secrets)
            return f"takes the mail for nobody in publish.mail.to ({answer}); correct them, or log in"
        case smtplib.SMTPNotSupportedError() if "STARTTLS" in str(error):
            return "does not offer STARTTLS; take its encrypted port, mostly encryption: tls and port: 465"
        case smtplib.SMTPNotSupportedError():
            return "takes no user and password; leave both out, or take the port for those who log in"
        case smtplib.SMTPResponseException():
            answer = _answer(error.smtp_code, error.smtp_error, secrets)
        case _:
            return None
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"refuses user and password ({answer}); check publish.mail.user, and what {mail.password} holds"
        case smtplib.SMTPSenderRefused():
            return f"refuses publish.mail.from ({answer}); take an address that it sends for, or log in"
        case _:
            return f"refuses the mail ({answer}); ask whoever runs it"


def _not_reached(error: Exception) -> str:
    """Say why there is no server to talk to."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"shows a certificate that can't be trusted ({error.verify_message}); name the server as its "
                "certificate does or, where the company signs its own, let SSL_CERT_FILE name its authority's file"
            )
        case ssl.SSLError():
            return "does not speak TLS like that; port 587 mostly has encryption: starttls, port 465 tls"
        case socket.gaierror():
            return "is the name of no server; check publish.mail.server"
        case TimeoutError():
            return f"does not answer within {_PATIENCE} seconds; check server and port, or try again later"
        case _:
            reason = getattr(error, "strerror", None) or "it hangs up"
            return f"is no mail server that answers ({reason}); check server and port, or try again later"


def _answer(code: int, said: bytes | str, secrets: list[str]) -> str:
    """Give the first line of what a server said, without secrets and addresses."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    line = text.strip().partition("\n")[0][:200]
    for secret in secrets:
        line = line.replace(secret, "***")
    return f"{code} {re.sub(r'[^ <>:]+@[^ <>:]+', '***', line)}"
