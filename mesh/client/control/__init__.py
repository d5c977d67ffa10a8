"""The control API of a mesh for Python programs."""
