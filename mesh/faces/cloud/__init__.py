"""The REST API of BentoCloud, as its clients use it, over the controller of a mesh."""
