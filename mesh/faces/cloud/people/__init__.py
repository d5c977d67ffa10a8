"""Who asks: log in, tokens, users and members."""
