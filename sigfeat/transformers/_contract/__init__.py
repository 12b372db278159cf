"""What every transformer promises: checks, names of features, limits of memory and threads."""
