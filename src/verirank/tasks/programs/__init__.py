"""Problems whose answer is a program, right where it passes tests."""

from verirank.tasks.programs._rows import TestedProblem, program_problems
from verirank.tasks.programs._source import source_in
from verirank.tasks.programs._task import Code, CodeConfig

__all__ = ["Code", "CodeConfig", "TestedProblem", "program_problems", "source_in"]
