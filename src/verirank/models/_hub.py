"""Whether a model is to be had from the Hugging Face Hub, told in one line and at once."""

from __future__ import annotations

from verirank.config import InputError, first_line, why_refused

_SECONDS = 10


def expect_on_hub(name: str, revision: str | None) -> None:
    """Ask the Hub for a model that is not in the cache, once.

    A download would try again for a minute where nobody answers.

    Raises:
        InputError: there is no such model or revision, it may not be read without a token, or the
            Hub cannot be reached.
    """
    from huggingface_hub import HfApi, errors, try_to_load_from_cache

    try:
        if isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str):
            return
        HfApi().model_info(name, revision=revision, timeout=_SECONDS)
    except (errors.HFValidationError, errors.HTTPError, OSError) as error:  # type: ignore[reportPrivateImportUsage]
        reason = why_refused(error, revision) or (
            f"is not in the Hub's cache and cannot be downloaded ({first_line(error)})"
        )
        raise InputError(f"model {name!r} is no folder here, and {reason}") from error
