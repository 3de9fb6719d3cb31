"""What commands say of their argument STUDY."""

from __future__ import annotations

from textwrap import fill

from verirank.study import study_names

_SENTENCE = f"STUDY is a TOML file, or one of {', '.join(study_names())}."
# Click breaks lines within names, at hyphens, unless \b tells it to leave them as they are.
STUDY = "\b\n" + fill(_SENTENCE, 76, break_on_hyphens=False)
