"""Stands for the client of an SMS service: what it sends is a line in a file, which stands for the phones."""

import os


class Provider:
    def send_template_sms(self, mobile: str, data: list, template: int) -> int:
        code, minutes = data
        with open(os.environ["CCP_PHONES"], "a") as phones:
            phones.write(f"{mobile}: your code is {code}, it is valid for {minutes} minutes\n")
        return 0
