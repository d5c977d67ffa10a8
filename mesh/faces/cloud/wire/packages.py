"""Releases and models as the cloud API has them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mesh.access.contract import Person
from mesh.errors import InvalidArgument, TooLarge
from mesh.faces.cloud.wire.base import (
    Label,
    OrganizationView,
    Resource,
    Sent,
    UserView,
    at,
    labels,
    said,
    user,
)
from mesh.releases.packages import NAME, Package, Repository, Said, Status


def _time(value: object) -> object:
    """Times as clients write them: RFC 3339, or `2026-01-02 03:04:05.678901` in UTC, or nothing."""
    if value in (None, ""):
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("not a date and time") from None
    if not isinstance(value, datetime):
        # One that pydantic makes a line of, as it does not of a TypeError.
        raise ValueError("not a date and time")  # noqa: TRY004
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("not a date and time") from None


DEEPEST = 50
"""How often something may be nested in a manifest."""
LARGEST = 4 * 2**20
"""Bytes of a manifest."""
Time = Annotated[datetime | None, BeforeValidator(_time)]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Size = Annotated[
    Annotated[int, Field(ge=0, lt=2**53)],  # what every reader of JSON can tell exactly
    BeforeValidator(lambda value: 0 if value is None else value),
]


def _of_null(empty: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: empty() if value is None else value)


class _Manifest(BaseModel):
    """What clients say of what they push; what is not known in it is kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow")


class EnvironmentSent(_Manifest):
    """A variable that a release reads."""

    name: str
    value: Text = ""
    stage: Text = "all"


class ModelNamed(_Manifest):
    """A model that a service of a release uses."""

    tag: Text = ""
    module: Text = ""
    creation_time: Text = ""
    alias: Text = ""
    registry: Text = ""
    endpoint: Text = ""


class ServiceManifestSent(_Manifest):
    """A service of a release."""

    name: Text = ""
    service: Text = ""
    models: Annotated[tuple[ModelNamed, ...], _of_null(tuple)] = ()
    config: Annotated[dict[str, Any], _of_null(dict)] = {}


class BentoManifest(_Manifest):
    """What is in a release."""

    name: Text = ""
    service: Text = ""
    entry_service: Text = ""
    bentoml_version: Text = ""
    version: Text = ""
    apis: Annotated[dict[str, Any], _of_null(dict)] = {}
    models: Annotated[tuple[str, ...], _of_null(tuple)] = ()
    runners: Annotated[tuple[dict[str, Any], ...], _of_null(tuple)] = ()
    services: Annotated[tuple[ServiceManifestSent, ...], _of_null(tuple)] = ()
    envs: Annotated[tuple[EnvironmentSent, ...], _of_null(tuple)] = ()
    schema_: Annotated[dict[str, Any], _of_null(dict), Field(alias="schema")] = {}
    image: Annotated[dict[str, Any], _of_null(dict)] = {}
    size_bytes: Size = 0
    dev: Annotated[bool, _of_null(bool)] = False
    spec: Annotated[int, _of_null(int)] = 1


class ModelManifest(_Manifest):
    """What is in a model."""

    module: Text = ""
    api_version: Text = ""
    bentoml_version: Text = ""
    size_bytes: Size = 0
    metadata: Annotated[dict[str, Any], _of_null(dict)] = {}
    context: Annotated[dict[str, Any], _of_null(dict)] = {}
    options: Annotated[dict[str, Any], _of_null(dict)] = {}


class RepositorySent(Sent):
    """A new repository."""

    name: Annotated[str, said(NAME)]
    description: Text = ""
    labels: Annotated[tuple[Label, ...], _of_null(tuple)] = ()


class RepositoryChange(Sent):
    """What is to be changed in a repository; None is left as it is."""

    description: str | None = None
    labels: tuple[Label, ...] | None = None

    def of(self, said: Said) -> Said:
        """With the change."""
        return _changed(said, self.description, self.labels)


class BentoSent(Sent):
    """A new release."""

    version: Annotated[str, said(NAME)]
    description: Text = ""
    manifest: Annotated[BentoManifest, _of_null(BentoManifest)] = BentoManifest()
    build_at: Time = None
    labels: Annotated[tuple[Label, ...], _of_null(tuple)] = ()


class ModelSent(Sent):
    """A new model."""

    version: Annotated[str, said(NAME)]
    description: Text = ""
    manifest: Annotated[ModelManifest, _of_null(ModelManifest)] = ModelManifest()
    build_at: Time = None
    labels: Annotated[tuple[Label, ...], _of_null(tuple)] = ()


class BentoChange(Sent):
    """What is to be changed in a release; None is left as it is."""

    description: str | None = None
    manifest: BentoManifest | None = None
    build_at: Time = None
    labels: tuple[Label, ...] | None = None


class ModelChange(Sent):
    """What is to be changed in a model; None is left as it is."""

    description: str | None = None
    manifest: ModelManifest | None = None
    build_at: Time = None
    labels: tuple[Label, ...] | None = None


class FinishSent(Sent):
    """How an upload ended."""

    status: Annotated[str, said(enum=[Status.SUCCESS, Status.FAILED])]
    reason: Text = ""


class PartWanted(Sent):
    """A part that is to be uploaded."""

    upload_id: str
    part_number: int


class PartDone(Sent):
    """A part that was uploaded."""

    part_number: int
    etag: str


class PartsDone(Sent):
    """All parts of an upload."""

    upload_id: str
    parts: Annotated[tuple[PartDone, ...], Field(max_length=10_000)]


def repository_said(sent: RepositorySent) -> Said:
    """What a client says of a new repository."""
    return Said(sent.description, _pairs(sent.labels))


def said_of(sent: BentoSent | ModelSent, now: float) -> Said:
    """What a client says of something new."""
    build_at = sent.build_at.timestamp() if sent.build_at else now
    return Said(sent.description, _pairs(sent.labels), _plain(sent.manifest), build_at)


def changed(sent: BentoChange | ModelChange, said: Said) -> Said:
    """What was said, with what a client says now."""
    made = _changed(said, sent.description, sent.labels)
    return Said(
        made.description,
        made.labels,
        said.manifest if sent.manifest is None else _plain(sent.manifest),
        said.build_at if sent.build_at is None else sent.build_at.timestamp(),
    )


def _changed(said: Said, description: str | None, sent: Iterable[Label] | None) -> Said:
    return Said(
        said.description if description is None else description,
        said.labels if sent is None else _pairs(sent),
        said.manifest,
        said.build_at,
    )


def _pairs(sent: Iterable[Label]) -> tuple[tuple[str, str], ...]:
    return tuple((label.key, label.value) for label in sent)


def _plain(manifest: BaseModel) -> Mapping[str, Any]:
    """A manifest as it is kept. Raises InvalidArgument for what could not be shown again."""
    try:
        plain: dict[str, Any] = manifest.model_dump(mode="json", by_alias=True)
        if _is_deep(plain, DEEPEST):
            raise InvalidArgument(f"manifest: nested more than {DEEPEST} times")
        size = len(json.dumps(plain, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, RecursionError):
        raise InvalidArgument("manifest: not plain JSON") from None
    if size > LARGEST:
        raise TooLarge(f"manifest: larger than {LARGEST // 2**20} MiB")
    return plain


def _is_deep(value: Any, left: int) -> bool:
    if left == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and any(_is_deep(each, left - 1) for each in inner)


class PackageView(Resource):
    """What releases and models have in common. `name` is the version, as clients want it."""

    description: str
    version: str
    creator: UserView
    build_at: datetime
    image_build_status: str
    upload_status: str
    upload_started_at: datetime | None
    upload_finished_at: datetime | None
    upload_finished_reason: str
    upload_id: str = ""
    presigned_upload_url: str = ""
    presigned_download_url: str = ""
    presigned_urls_deprecated: bool = False
    transmission_strategy: str | None = None


class BentoView(PackageView):
    """A release."""

    resource_type: str = "bento"
    bento_repository_uid: str
    manifest: BentoManifest


class ModelView(PackageView):
    """A model."""

    resource_type: str = "model"
    model_uid: str
    manifest: ModelManifest


class RepositoryView(Resource):
    """What repositories have in common."""

    description: str
    creator: UserView
    organization: OrganizationView


class BentoRepositoryView(RepositoryView):
    """A repository of releases; `latest_bento` is the newest that was uploaded."""

    resource_type: str = "bento_repository"
    latest_bento: BentoView | None = None
    latest_bentos: tuple[BentoView, ...] = ()
    n_bentos: int = 0
    n_deployments: int = 0


class BentoRepositoryStats(BentoRepositoryView):
    """A repository of releases, and who pushed to it."""

    creators: tuple[UserView, ...] = ()


class ModelRepositoryView(RepositoryView):
    """A repository of models; `latest_model` is the newest that was uploaded."""

    resource_type: str = "model_repository"
    latest_model: ModelView | None = None


class BentoWithRepository(BentoView):
    """A release and where it is."""

    repository: BentoRepositoryView
    n_deployments: int = 0


class ModelWithRepository(ModelView):
    """A model and where it is."""

    repository: ModelRepositoryView


class BentoFull(BentoWithRepository):
    """A release with the models that it names."""

    models: tuple[ModelWithRepository, ...] = ()


class ModelFull(ModelWithRepository):
    """A model with the releases that name it."""

    bentos: tuple[BentoView, ...] = ()


def package_fields(package: Package, creator: Person, strategy: str) -> dict[str, Any]:
    """The fields of a `PackageView`."""
    return {
        "uid": package.uid,
        "created_at": at(package.created_at),
        "updated_at": at(package.updated_at),
        "name": package.version,
        "labels": labels(package.said.labels),
        "description": package.said.description,
        "version": package.version,
        "creator": user(creator),
        "build_at": at(package.said.build_at),
        "image_build_status": "success" if package.status is Status.SUCCESS else "pending",
        "upload_status": package.status.value,
        "upload_started_at": None if package.started_at is None else at(package.started_at),
        "upload_finished_at": None if package.finished_at is None else at(package.finished_at),
        "upload_finished_reason": package.reason,
        "upload_id": package.upload_id,
        "transmission_strategy": strategy,
    }


def repository_fields(
    repository: Repository, creator: Person, organization: OrganizationView
) -> dict[str, Any]:
    """The fields of a `RepositoryView`."""
    return {
        "uid": repository.uid,
        "created_at": at(repository.created_at),
        "updated_at": at(repository.updated_at),
        "name": repository.name,
        "labels": labels(repository.said.labels),
        "description": repository.said.description,
        "creator": user(creator),
        "organization": organization,
    }
