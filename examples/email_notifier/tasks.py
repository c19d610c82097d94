"""The task: look up the user with the given id, and send an HTML mail."""

import os
import smtplib
from email.message import EmailMessage
from html import escape

import users
from hourwheel import Scheduler

app = Scheduler(os.environ["HOURWHEEL_STORE"])


@app.task(autoretry_for=OSError, retry_backoff=3)  # every smtplib error is an OSError
def send_welcome(user_id: int) -> str:
    name, email = users.find(user_id)  # the data as it is now, not as it was at the call
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Welcome", "shop@example.org", email
    message.set_content(f"Welcome, {name}!")
    message.add_alternative(f"<h1>Welcome, {escape(name)}!</h1>", subtype="html")
    host, _, port = os.environ["SMTP"].partition(":")
    with smtplib.SMTP(host, int(port), timeout=10) as server:
        server.send_message(message)
    return "success"
