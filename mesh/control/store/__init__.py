"""Where the controller keeps what it must not forget."""
