"""What the server says of itself."""

from mesh.faces.cloud.wire.base import Wire


class VersionView(Wire):
    """Which version of the mesh this is."""

    version: str
    git_commit: str = ""
    build_date: str = ""


class InfoView(Wire):
    """What this server has and has not."""

    disable_login: bool = False
    enable_code_space: bool = True
    on_prem: bool = True
    saas_domain_suffix: str = ""
