"""Letters by SMTP (RFC 5321): encrypted, after a login where the server wants one."""

import logging
import smtplib
import ssl
from collections import deque
from collections.abc import Callable, Generator, Sequence
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from time import monotonic
from typing import Final

from msgspec import Struct

from sayso.errors import UsageError
from sayso.rights.outbox import Letter, name_of
from sayso.rights.requests import checked_email
from sayso.workspace import Workspace

TIMEOUT_SECONDS: Final = 10.0
log = logging.getLogger("sayso.post")


class Mail(Struct, frozen=True):
    """What a letter says: one line of subject, and its text."""

    subject: str
    text: str


class Mails:
    """Sends letters through the server of `[mail]`.

    Args:
        workspace: whose settings and pseudonyms.
        write: returns what a letter says.
    """

    def __init__(self, workspace: Workspace, write: Callable[[Letter], Mail]) -> None:
        self._workspace = workspace
        self._settings = workspace.settings.mail
        self._write = write
        if self._settings.host and not self.is_ready:
            log.error("no letters are sent: [mail] has a host, but no sender or no url")

    @property
    def is_ready(self) -> bool:
        """Whether letters can be sent at all: there is a server, a sender, an address for links."""
        return bool(self._settings.host and self._settings.sender and self._settings.url)

    def send(
        self, letters: Sequence[Letter], until: float
    ) -> Generator[tuple[Letter, bool], None, None]:
        """Send letters over one connection, and yield of each whether it was taken.

        Where a letter breaks the connection, that one has failed and the others go over a new one;
        where there is no connection to be had, all have. None is begun after `until`
        (`time.monotonic`), and what is left then is not yielded.
        """
        waiting = deque(letters)
        while waiting and monotonic() < until:
            try:
                with self._connected() as server:
                    while waiting and server.sock and monotonic() < until:
                        went = self._is_taken(server, waiting[0])
                        yield waiting.popleft(), went
            except smtplib.SMTPServerDisconnected:
                log.warning("the mail server broke the connection")
                yield waiting.popleft(), False
            except (OSError, smtplib.SMTPException, UsageError) as error:
                log.warning("the mail server takes no letters: %s", type(error).__name__)
                while waiting:
                    yield waiting.popleft(), False

    def _is_taken(self, server: smtplib.SMTP, letter: Letter) -> bool:
        try:
            server.send_message(self._message(letter))
        except smtplib.SMTPServerDisconnected:
            raise
        except Exception as error:  # whatever is wrong with one letter, the others go on
            log.warning("a letter was not taken: %s", type(error).__name__)
            return False
        return True

    def _connected(self) -> smtplib.SMTP:
        settings, context = self._settings, ssl.create_default_context()
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_SECONDS)
        try:
            if settings.security == "starttls":
                server.starttls(context=context)  # raises where the server has none
            if settings.user:
                server.login(settings.user, self._password())
        except BaseException:
            server.close()
            raise
        return server

    def _password(self) -> str:
        if self._settings.security == "none":
            raise UsageError("[mail] user needs a connection that is encrypted: [mail] security")
        path = self._workspace.home / self._settings.password_file
        try:
            return path.read_text("utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("the file of [mail] password_file cannot be read") from error

    def _message(self, letter: Letter) -> EmailMessage:
        """Return the letter as a message; what is no address or has line breaks is refused."""
        said = self._write(letter)
        sender = checked_email(self._settings.sender)
        community = " ".join(self._workspace.settings.community.split())
        message = EmailMessage(policy.SMTP)
        message["From"] = Address(community, addr_spec=sender)
        message["To"] = Address(addr_spec=checked_email(letter.target))
        message["Subject"] = said.subject
        message["Date"] = format_datetime(letter.created_at)
        message["Message-ID"] = f"<{name_of(self._workspace, letter)}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers by machines
        message.set_content(said.text, cte="quoted-printable")  # for servers of seven bits, too
        return message
