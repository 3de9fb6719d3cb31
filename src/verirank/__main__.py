"""`python -m verirank`."""

from verirank.cli import main

main()
