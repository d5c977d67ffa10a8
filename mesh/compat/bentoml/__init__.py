"""BentoML services as services of the mesh, read from the public surface of their objects.

services      a `@bentoml.service` object becomes a service class of the mesh
settings      what its decorator says, and what of that can't be carried over
methods       its `@bentoml.api` methods
annotations   what BentoML's annotations say, in the mesh's words
context       the `bentoml.Context` of a call
dependencies  what `bentoml.depends` becomes
errors        its exceptions as the mesh's, and back
error_body    the body that its clients get for an error; loads no BentoML

Only `services` is imported from outside, and only when BentoML is loaded already.
"""
