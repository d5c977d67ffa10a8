"""The page of one deployment: how it is, where it is, and what it was."""

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from starlette.responses import HTMLResponse

from mesh.access.principal import Principal
from mesh.client.control.values import DeploymentView, RevisionView
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.pages.html import page
from mesh.faces.rest import views
from mesh.faces.rest.deployments import shown
from mesh.faces.rest.within import Within

MOST = 20
"""Revisions that are shown."""


async def deployment_page(backing: Backing, principal: Principal, name: str) -> HTMLResponse:
    """It as a page. Raises NotFound, also for one of another organization."""
    verbs = backing.verbs
    record = verbs.deployment(name)
    if record.organization != principal.organization:
        raise NotFound(f"there is no deployment {name!r}")
    view = shown(Within(verbs, principal), name)
    revisions = [
        views.revision(each, record.revision) for each in await verbs.revisions(name, 0, MOST)
    ]
    application, _ = verbs.kept(name)
    warnings = dict.fromkeys(
        each for version in application.versions.values() for each in version.warnings
    )
    body = "".join(
        (
            _how(view, backing.gateway_url, warnings),
            _versions(view),
            _revisions(revisions),
        )
    )
    return page(name, body, wide=True)


def _how(view: DeploymentView, gateway_url: str, warnings: Iterable[str]) -> str:
    url = f"{gateway_url}/e/{quote(view.name)}" if gateway_url else ""
    rows = [
        ("Status", escape(view.status)),
        ("Why", escape(view.reason)),
        *(("Warning", escape(each)) for each in warnings),
        ("URL", f'<a href="{escape(url)}/">{escape(url)}</a>' if url else ""),
        ("Replicas", f"{view.ready} of {view.desired} ready"),
        ("Labels", escape(", ".join(f"{key}={value}" for key, value in view.labels.items()))),
        ("Changed", _time(view.updated_at.isoformat())),
    ]
    return _table((), [row for row in rows if row[1]])


def _versions(view: DeploymentView) -> str:
    rows = [
        (
            escape(version.name),
            f"{version.weight} %",
            escape(service.name),
            f"{service.ready} of {service.desired}",
        )
        for version in view.versions
        for service in version.services
    ]
    return _titled("Versions", ("Version", "Weight", "Service", "Ready"), rows)


def _revisions(found: Iterable[RevisionView]) -> str:
    rows = [
        (
            f"{each.number}{' (current)' if each.current else ''}",
            escape(each.cause),
            _time(each.created_at.isoformat()),
        )
        for each in found
    ]
    return _titled("Revisions", ("Number", "Cause", "Made"), rows)


def _titled(title: str, head: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<h2>{title}</h2>{_table(head, rows)}" if rows else ""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{each}</th>" for each in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"


def _time(text: str) -> str:
    return text[:19].replace("T", " ") + " UTC"
