"""One mail, by SMTP. Blocking, with a time limit: use `asyncio.to_thread`. Never logs a secret."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from mirror.adapters.failures import cited, failure_of
from mirror.adapters.notify.settings import MailSettings
from mirror.errors import NotificationFailed
from mirror.vocabulary.said import Said, say

ANSWER_S = 10.0
HEADER_LETTERS_MAX = 200


def send_mail(settings: MailSettings, subject: str, text: str) -> None:
    """Send it. Raises: NotificationFailed (MIR-820)."""
    message = EmailMessage()
    # A line break in a reason of the application's must not become a header.
    message["Subject"] = " ".join(subject.split())[:HEADER_LETTERS_MAX]
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain="mirror.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    where = f"{settings.server} port {settings.port}"
    try:
        with _connected(settings) as server:
            if settings.user:
                server.login(settings.user, settings.password)
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise NotificationFailed(channel="mail", where=where, observed=_said(error)) from error


def _connected(settings: MailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.server, settings.port, timeout=ANSWER_S, context=context)
    server = smtplib.SMTP(settings.server, settings.port, timeout=ANSWER_S)
    if settings.security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _said(error: Exception) -> Said:
    """What the server answered; an answer to a sign-in may repeat what was sent, so not that."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return say("mail.refused", status=error.smtp_code)
        case smtplib.SMTPNotSupportedError():
            return say("mail.no_starttls" if "STARTTLS" in str(error) else "mail.no_sign_in")
        case smtplib.SMTPRecipientsRefused():
            code, words = next(iter(error.recipients.values()))
            return say("mail.recipients", observed=_answer(code, words))
        case smtplib.SMTPServerDisconnected():
            return say("why.broke_off")
        case smtplib.SMTPResponseException():
            return _answer(error.smtp_code, error.smtp_error)
    return failure_of(error)


def _answer(code: int, words: bytes | str) -> Said:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return say("mail.answers", status=code, observed=cited(text))
