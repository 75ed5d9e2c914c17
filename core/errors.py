"""The one tree of errors. Every message says what came, where, what was allowed, and what to do.

The command line turns them into exit codes: GateError 3, InputError and NotFoundError 2, any other AssayError 1.
The gateway turns them into problem documents: InputError 422, NotFoundError 404, GateError 409, others 503.
"""


class AssayError(Exception):
    """Something that a person can mend: a service that is not there, a port that is taken, a disk that is full."""

    code = "FAILED"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class InputError(AssayError, ValueError):
    """A file, row, picture, option or model bundle that cannot be accepted. `code` names the kind of fault."""

    code = "BAD_INPUT"


class NotFoundError(AssayError, LookupError):
    """A model, job, case or file that does not exist under that name."""

    code = "NOT_FOUND"

    def __str__(self) -> str:  # LookupError would quote the message
        return str(self.args[0])


class GateError(AssayError):
    """A gate said no: a metric under its floor, parity lost in an export, a promotion refused."""

    code = "GATE"
