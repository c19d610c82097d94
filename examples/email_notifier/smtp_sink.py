"""A mail server for trying things out. It accepts every mail after a short pause and keeps it in memory.

It understands as much SMTP as smtplib uses. If you have aiosmtpd, `python -m aiosmtpd -n -l localhost:8025` also works.
"""

import asyncio
import threading


class Sink:
    """A server in a thread of its own, for the length of a `with Sink() as sink:` block."""

    def __init__(self, pause_s: float = 0.2) -> None:
        self.pause_s = pause_s
        self.mails: list[tuple[str, str]] = []
        """(recipient, text) of each mail."""
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Sink":
        self._thread.start()
        starting = asyncio.start_server(self._talk, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        talks = asyncio.all_tasks() - {asyncio.current_task()}
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        answer = "220 ready"
        while not writer.is_closing():
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
            line = (await reader.readline()).decode()
            if not line or line.upper().startswith("QUIT"):
                writer.write(b"221 bye\r\n" if line else b"")
                writer.close()
            elif line.upper().startswith("RCPT TO:"):
                recipients.append(line[8:].strip().strip("<>"))
                answer = "250 fine"
            elif line.upper().startswith("DATA"):
                writer.write(b"354 go on\r\n")
                text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                await asyncio.sleep(self.pause_s)  # the time a mail takes
                self.mails += [(recipient, text) for recipient in recipients]
                recipients, answer = [], "250 taken"
            else:
                answer = "250 fine"
