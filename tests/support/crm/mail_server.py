"""A real mail server on the loopback: it takes what comes, encrypts where it is told to, refuses what it is told."""

from __future__ import annotations

import base64
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass
class MailServer:
    """What it does, and what it has seen."""

    certificate: Path | None = None
    """Of a server that offers STARTTLS, or with ``is_tls`` encrypts from the first byte on: key and certificate."""
    is_tls: bool = False
    login: tuple[str, str] | None = None
    """Who may send; without it, anybody."""
    refused: dict[str, bytes] = field(default_factory=dict)
    """What it answers to commands (``greeting``, MAIL, RCPT, DATA, or an address), instead of taking them."""
    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    in_the_open: list[bytes] = field(default_factory=list)
    """All that came before the connection was encrypted."""


@contextmanager
def serving(server: MailServer) -> Iterator[MailServer]:
    """Let it serve, at a free port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _Conversation(server, self).hold()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


class _Conversation:
    def __init__(self, server: MailServer, handler: socketserver.StreamRequestHandler) -> None:
        self.server, self.connection = server, handler.connection
        self.encrypted, self.known = False, server.login is None
        self.sender, self.to = "", list[str]()

    def hold(self) -> None:
        try:
            if self.server.is_tls:
                self.encrypt()
            self.open()
            self.say(self.server.refused.get("greeting", b"220 here"))
            while "greeting" not in self.server.refused and (line := self.hear()):
                if line.upper().startswith(b"QUIT"):
                    self.say(b"221 bye")
                    return
                self.answer(line)
        except OSError:
            return  # who hangs up, or does not trust us, is gone
        finally:
            self.connection.close()

    def encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert self.server.certificate
        context.load_cert_chain(self.server.certificate)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.encrypted = True

    def open(self) -> None:
        self.reading = self.connection.makefile("rb")

    def say(self, line: bytes) -> None:
        self.connection.sendall(line + b"\r\n")

    def hear(self) -> bytes:
        line: bytes = self.reading.readline()
        if not self.encrypted:
            self.server.in_the_open.append(line)
        return line.rstrip(b"\r\n")

    def answer(self, line: bytes) -> None:
        verb = line.split(b" ")[0].split(b":")[0].upper().decode()
        address = line.partition(b"<")[2].partition(b">")[0].decode()
        refusal = self.server.refused.get(address) or self.server.refused.get(verb)
        if refusal:
            self.say(refusal)
        elif verb in ("EHLO", "HELO"):
            self.offer()
        elif verb == "STARTTLS":
            self.say(b"220 go on")
            self.encrypt()
            self.open()
        elif verb == "AUTH":
            self.let_in(line)
        elif verb == "MAIL":
            self.sender, self.to = address, []
            self.say(b"250 fine" if self.known else b"530 5.7.0 log in first")
        elif verb == "RCPT":
            self.to.append(address)
            self.say(b"250 fine")
        elif verb == "DATA":
            self.take()
        else:
            self.say(b"250 fine")

    def offer(self) -> None:
        lines = [b"250-here"]
        if self.server.certificate and not self.encrypted:
            lines.append(b"250-STARTTLS")
        if self.server.login:
            lines.append(b"250-AUTH PLAIN")
        for line in [*lines, b"250 8BITMIME"]:
            self.say(line)

    def let_in(self, line: bytes) -> None:
        _, user, password = base64.b64decode(line.split(b" ")[2]).decode().split("\0")
        self.known = (user, password) == self.server.login
        self.say(b"235 welcome" if self.known else f"535 5.7.8 no such user {user}".encode())

    def take(self) -> None:
        self.say(b"354 go on")
        lines = []
        while (line := self.reading.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.received.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self.server.envelopes.append((self.sender, self.to))
        self.say(b"250 taken")


def make_certificate(folder: Path) -> Path:
    """Make a key and a certificate of localhost, in one file that is also the authority which has signed it."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
