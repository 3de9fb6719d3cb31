"""The rows of a data set, wherever they lie: in a file, a folder, or on the Hugging Face Hub."""

from verirank.tasks.data_files._hub import folder_rows, hub_rows
from verirank.tasks.data_files._rows import Row, read_rows
from verirank.tasks.data_files._split_files import Choice

__all__ = ["Choice", "Row", "folder_rows", "hub_rows", "read_rows"]
