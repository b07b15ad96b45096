"""A command of the user's own, called when a sequence has lost its focus: without a shell, and no file's name in it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading

from autofocus.companion.degradation import Change
from autofocus.companion.following import Audience
from autofocus.errors import SettingsError
from autofocus.model import Measurement

LIMIT_S = 60.0


class Notifier(Audience):
    """Runs the command with the sentence as its last argument.

    The sentence holds only our own words and numbers. The frame's name goes by the environment
    (``AUTOFOCUS_FILE``), where no command line can read commands into it.
    `SettingsError` when there is no such command.
    """

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command, posix=os.name != "nt")
        except ValueError as cause:
            raise SettingsError(f"--notify {command!r}: {cause}") from cause
        self._words = [word.strip('"') for word in self._words] if os.name == "nt" else self._words
        program = shutil.which(self._words[0]) if self._words else None
        if program is None:
            raise SettingsError(f"--notify: there is no command {(self._words or [''])[0]!r}")
        self._words[0] = program
        self._file = ""
        self._running: list[threading.Thread] = []

    def frame(self, measurement: Measurement) -> None:
        """Remember which frame was the last."""
        self._file = measurement.file

    def changed(self, change: Change) -> None:
        """Call the command when focus is lost."""
        if change.kind == "degraded":
            words, environment = [*self._words, change.message], {**os.environ, "AUTOFOCUS_FILE": self._file}
            thread = threading.Thread(target=_call, args=(words, environment), daemon=True)
            thread.start()
            self._running.append(thread)

    def wait(self) -> None:
        """Wait until the commands have ended, at most a minute."""
        for thread in self._running:
            thread.join(LIMIT_S)


def _call(words: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603  the user's own command, without a shell
            words, env=environment, stdin=subprocess.DEVNULL, stdout=2, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        sys.stderr.write(f"autofocus watch: --notify: {fault}\n")
        return
    if done.returncode:
        sys.stderr.write(f"autofocus watch: --notify: the command ended with {done.returncode}\n")
