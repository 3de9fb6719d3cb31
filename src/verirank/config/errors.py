"""The one error type for input that the user can mend."""


class InputError(ValueError):
    """The input was wrong: the message says what, where, and what to do (exit code 2)."""


class RunFailedError(RuntimeError):
    """A check or a run failed, though the input was right (exit code 1)."""


class SaidByFirstError(RunFailedError):
    """The first of several processes tells the user why; this one ends with it, in silence."""
