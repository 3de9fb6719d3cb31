"""A trained policy as files for others: a plain model, a peft adapter or a LoRA, with its card."""

from verirank.export._export import export_run
from verirank.export._forms import FORMS, Form, write_policy

__all__ = ["FORMS", "Form", "export_run", "write_policy"]
