"""Services that were written for other systems, run as they are."""
