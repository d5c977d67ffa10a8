"""Typed IO: annotations are read once, into codecs of JSON and of mesh.v1 messages."""
