"""A terminal for a program under test: what it shows, the keys pressed, and the settings that it leaves."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

_STYLE = re.compile(r"\x1b\[([0-9;]*)m")


class PseudoTerminal:
    """Understands what `sluicectl top` writes: a picture goes from "home" to "clear what is below"."""

    def __init__(self, columns=80, rows=24):
        self._ours, self._theirs = pty.openpty()
        self.output = ""
        self.resize(columns, rows)
        self.settings_before = termios.tcgetattr(self._theirs)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def start(self, words, **environment):
        """The program, in a session of its own with this as its terminal."""
        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        self.process = subprocess.Popen([str(word) for word in words], stdin=self._theirs, stdout=self._theirs,
                                        stderr=self._theirs, preexec_fn=take_terminal,
                                        env={**inherited, "TERM": "xterm-256color", **environment})

    def settings(self):
        return termios.tcgetattr(self._theirs)

    def resize(self, columns, rows):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self._ours, keys.encode())

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def read(self, seconds=0.05):
        """Takes what comes within this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._ours], [], [], left)[0]:
                self.output += os.read(self._ours, 65536).decode(errors="replace")

    def pictures(self):
        """All whole ones so far, each a list of lines with their styles."""
        self.read()
        return [[line.removeprefix("\x1b[K") for line in picture.split("\r\n")]
                for picture in re.findall(r"\x1b\[H(.*?)\x1b\[J", self.output, re.DOTALL)]

    def lines(self):
        """The last whole picture as plain text."""
        pictures = self.pictures()
        return [_STYLE.sub("", line).rstrip("\r") for line in pictures[-1]] if pictures else []

    def wait(self, timeout=5):
        """The exit code, as subprocess has it; what it wrote until then is read."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            self.read()
            if time.monotonic() > deadline:
                raise TimeoutError("the program does not end")
        self.read()
        return self.process.returncode

    def wait_stopped(self):
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) in (signal.SIGSTOP, signal.SIGTSTP)
        self.read()


def styled(line):
    """A line as (text, style) pieces; the style is the SGR parameter, "" for none."""
    pieces = _STYLE.split(line)
    styles = ["", *pieces[1::2]]
    return [(text, "" if style == "0" else style) for text, style in zip(pieces[::2], styles) if text]
