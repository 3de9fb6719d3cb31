"""Asks the Hugging Face Hub for a model, and says in one line why it gives none."""

from __future__ import annotations

from difflib import get_close_matches

from verirank.config import InputError

BUILT_IN = ("micro", "smollm2")
"""Models that are named without a folder or the Hub."""
_SECONDS = 10


def why_refused(error: Exception, revision: str | None) -> str | None:
    """Return why the Hub gives no repository, or None where it was not even reached.

    Args:
        error: what a call of huggingface_hub raised.
        revision: the commit, tag or branch that was asked for.
    """
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():
            return "is gated: accept its terms on huggingface.co and set HF_TOKEN"
        case errors.RevisionNotFoundError():
            return f"has no revision {revision!r}"
        case errors.RepositoryNotFoundError():
            return "is not on the Hugging Face Hub, or it is private and HF_TOKEN is not set"
        case errors.HFValidationError():
            return "is not named like one of the Hugging Face Hub: owner/name"
        case _:
            return None


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
        first_line = str(error).strip().partition("\n")[0]
        reason = why_refused(error, revision) or (
            f"is not in the Hub's cache and cannot be downloaded ({first_line})"
        )
        meant = get_close_matches(name, BUILT_IN, n=1)
        hint = f"; did you mean {meant[0]!r}?" if meant else ""
        raise InputError(f"model {name!r} is no folder here, and {reason}{hint}") from error
