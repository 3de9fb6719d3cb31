"""One method, algorithm, task and bench, as a package of a user brings them."""
