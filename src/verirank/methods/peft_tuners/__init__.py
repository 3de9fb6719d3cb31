"""Methods that peft computes by itself: its own forward pass, and its own merge into a copy."""
