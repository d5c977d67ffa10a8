"""Forms of a reply: what a result becomes on its way to a caller."""
