"""Whether a model is to be had from the Hugging Face Hub, told in one line and at once."""

from __future__ import annotations

from verirank.config import InputError

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
        return
    except errors.GatedRepoError:
        reason = "is gated: accept its terms on huggingface.co and set HF_TOKEN"
    except errors.RevisionNotFoundError:
        reason = f"has no revision {revision!r}"
    except errors.RepositoryNotFoundError:
        reason = "is not on the Hugging Face Hub, or it is private and HF_TOKEN is not set"
    except errors.HFValidationError:
        reason = "is not named like one of the Hugging Face Hub: owner/name"
    except (errors.HTTPError, OSError) as error:  # type: ignore[reportPrivateImportUsage]
        why = str(error).strip().partition("\n")[0]
        reason = f"is not in the Hub's cache and cannot be downloaded ({why})"
    raise InputError(f"model {name!r} is no folder here, and {reason}")
