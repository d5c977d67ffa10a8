"""Versions whose typed gRPC is not what clients know are named."""

import base64
import zlib
from dataclasses import replace

import mesh
from mesh.control.desired import DesiredDeployment, DesiredService, DesiredVersion
from mesh.control.promises import broken_promises
from mesh.definition.graph import resolve
from mesh.definition.manifest import describe
from mesh.launch import Source


@mesh.service(name="Shop")
class Before:
    @mesh.api
    def buy(self, what: str, number: int) -> int:
        return 1


@mesh.service(name="Shop")
class Inserted:
    @mesh.api
    def buy(self, what: str, colour: str, number: int) -> int:
        return 1


@mesh.service(name="Shop")
class Added:
    @mesh.api
    def buy(self, what: str, number: int, colour: str = "red") -> int:
        return 1


def version(cls: type, identity: str, name: str = "main") -> DesiredVersion:
    manifest = describe(resolve(cls))
    descriptors = base64.b64decode(manifest.services["Shop"].descriptors)
    service = DesiredService("Shop", 1, 1, descriptors=zlib.compress(descriptors))
    return DesiredVersion(identity, name, 0, "Shop", {"Shop": service}, Source())


OLD = DesiredDeployment("shop", 1, (version(Before, "a"),))


def test_an_inserted_parameter_that_moves_numbers_is_told_of() -> None:
    (said,) = broken_promises(OLD, replace(OLD, versions=(version(Inserted, "b"),)))
    assert said.startswith("main: clients made from the .proto of main break: ")
    assert "shop.v1.BuyRequest.number: its name was number and is colour" in said


def test_a_canary_is_held_to_what_main_promises() -> None:
    canary = version(Inserted, "b", "v2")
    (said,) = broken_promises(None, replace(OLD, versions=(*OLD.versions, canary)))
    assert said.startswith("v2: ")


def test_additions_the_same_version_and_versions_without_a_proto_are_no_news() -> None:
    assert not list(broken_promises(None, OLD))
    assert not list(broken_promises(OLD, OLD))
    assert not list(broken_promises(OLD, replace(OLD, versions=(version(Added, "b"),))))
    plain = replace(OLD.versions[0], services={"Shop": DesiredService("Shop", 1, 1)})
    without = replace(OLD, versions=(plain,))
    assert not list(broken_promises(without, replace(OLD, versions=(version(Inserted, "b"),))))
