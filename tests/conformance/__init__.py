"""Clients of other languages against one mesh; a package, so that its fixtures are of one scope."""
