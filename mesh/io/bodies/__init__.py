"""Bodies of requests: from their bytes to the arguments of a method."""
