"""Who may do what: users, their roles and tokens."""
