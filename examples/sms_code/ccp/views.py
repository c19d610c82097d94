"""What the views of the web application do: send a code, and accept it if it is entered within five minutes."""

import secrets
import time

from hourwheel import AsyncResult

from ccp.sms.tasks import CODE_VALID_S, ccp_send_sms_code

_codes: dict[str, tuple[str, float]] = {}  # a cache in your application


def send_code(mobile: str) -> AsyncResult[int]:
    code = f"{secrets.randbelow(1_000_000):06}"
    _codes[mobile] = (code, time.monotonic() + CODE_VALID_S)
    return ccp_send_sms_code.delay(mobile, code)


def register(mobile: str, typed: str) -> bool:
    code, until = _codes.pop(mobile, ("", 0.0))
    return time.monotonic() < until and secrets.compare_digest(code, typed)
