"""How commands end: exit statuses, and failures as one sentence."""

from __future__ import annotations

from enum import IntEnum

import click

from .texts import one_line


class ExitStatus(IntEnum):
    """Why a command ended. click itself ends with 2 where the command line is wrong."""

    SUCCESS = 0
    FAILED = 1
    JOB_FAILED = 3
    JOB_CANCELED = 4
    JOB_SUSPENDED = 5
    NOT_FOUND = 6
    NO_JOB = 7
    INTERRUPTED = 130  # 128 and the number of the signal, as shells have it: SIGINT
    PIPE_CLOSED = 141  # SIGPIPE


class Failure(click.ClickException):
    """One sentence for standard error, and the exit status.

    `http_status` is that of the response, if there was one. A transient failure may be over soon.
    """

    def __init__(
        self,
        sentence: str,
        exit_code: ExitStatus = ExitStatus.FAILED,
        *,
        http_status: int | None = None,
        is_transient: bool = False,
    ) -> None:
        super().__init__(one_line(sentence))
        self.exit_code = exit_code  # type: ignore[misc] # click's own exceptions do so, too
        self.http_status = http_status
        self.is_transient = is_transient
