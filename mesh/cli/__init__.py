"""The command `mesh`."""
