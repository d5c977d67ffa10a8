"""Services from their code, as those see them who call them."""

from pathlib import Path

from mesh.client.description import ServiceDescription
from mesh.definition.graph import resolve
from mesh.definition.loader import load
from mesh.definition.manifest import describe


def described(target: str) -> list[ServiceDescription]:
    """The services of the graph of a `pkg.mod:Service`, its entry first. Raises ConfigError."""
    manifest = describe(resolve(load(target, (str(Path.cwd()),))))
    names = [manifest.entry, *sorted(manifest.services.keys() - {manifest.entry})]
    documents = (manifest.services[name].schema_json for name in names)
    return [ServiceDescription.of_json(each.encode()) for each in documents]
