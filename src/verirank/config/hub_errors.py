"""What the Hugging Face Hub's refusals mean to a user, in a few words."""

from __future__ import annotations


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


def may_answer_later(error: BaseException) -> bool:
    """Return whether the Hub could not be reached, or had no answer to anything just then."""
    from huggingface_hub import errors

    if not isinstance(error, errors.HTTPError):  # type: ignore[reportPrivateImportUsage]
        return False
    response = getattr(error, "response", None)
    return response is None or response.status_code == 429 or response.status_code >= 500


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().partition("\n")[0]
