"""Long sums with a calculator at hand: the model writes a call, the calculator the value."""

from verirank.tasks.calculator._calculate import calculate, call_in
from verirank.tasks.calculator._task import Calculator, CalculatorConfig

__all__ = ["Calculator", "CalculatorConfig", "calculate", "call_in"]
