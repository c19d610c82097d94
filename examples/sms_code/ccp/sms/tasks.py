"""The task: send an SMS with the code, unless the code is no longer valid."""

import os

from ccp.main import app
from ccp.sms.provider import Provider

CODE_VALID_S = float(os.environ.get("CCP_CODE_VALID_S", "300"))


@app.task(name="ccp_send_sms_code", expires=CODE_VALID_S)
def ccp_send_sms_code(mobile: str, sms_code: str) -> int:
    return Provider().send_template_sms(mobile, [sms_code, 5], 1)
