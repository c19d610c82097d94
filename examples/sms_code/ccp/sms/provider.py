"""Stands in for the client of an SMS service. It writes each SMS as a line to a file that stands in for the phones."""

import os


class Provider:
    def send_template_sms(self, mobile: str, data: list, template: int) -> int:
        code, minutes = data
        with open(os.environ["CCP_PHONES"], "a") as phones:
            phones.write(f"{mobile}: your code is {code}, it is valid for {minutes} minutes\n")
        return 0
