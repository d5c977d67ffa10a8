"""The control API over HTTP, of the mesh itself: `/api/mesh/v1`."""
