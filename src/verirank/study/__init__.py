"""Many trials: how one is run from proof to scores, and how they run side by side."""
