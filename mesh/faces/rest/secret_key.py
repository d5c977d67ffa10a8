"""The secret key of the store over HTTP."""

from fastapi import APIRouter

from mesh.client.control.values import RenewedKeyView
from mesh.faces.cloud.permission import Asker, over_all
from mesh.faces.rest.access import Mine


def secret_key() -> APIRouter:
    """The route `/secret-key/renew`."""
    routes = APIRouter(prefix="/secret-key", tags=["mesh"])

    @routes.post("/renew")
    async def renew(
        verbs: Mine, asker: Asker = over_all("renewed", "secret_key")
    ) -> RenewedKeyView:
        """Has a new secret key from now on; for administrators of all organizations.

        Nothing that is kept can be read with the old one then, but copies from before.
        """
        del asker  # is let in
        return RenewedKeyView(await verbs.renew_secret_key())

    return routes
