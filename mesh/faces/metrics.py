"""What the controller tells Prometheus, worked out when it is asked."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mesh.control.controller import Controller

_LABELS = ("deployment", "version", "service")


class ControllerMetrics(Collector):
    """Replicas per service, snapshots and watchers. Labels are names that users applied."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def collect(self) -> Iterator[Metric]:
        """The metrics as of now."""
        desired = GaugeMetricFamily(
            "mesh_replicas_desired", "Replicas that should run", labels=_LABELS
        )
        ready = GaugeMetricFamily("mesh_replicas_ready", "Replicas that are ready", labels=_LABELS)
        for deployment in self._controller.status():
            for version in deployment.versions:
                for service in version.services:
                    labels = (deployment.name, version.name, service.name)
                    desired.add_metric(labels, service.desired)
                    ready.add_metric(labels, service.ready)
        yield desired
        yield ready
        snapshots = self._controller.snapshots
        number = snapshots.value.number if snapshots.value else 0
        yield CounterMetricFamily("mesh_snapshots", "Snapshots published", value=number)
        yield GaugeMetricFamily("mesh_watchers", "Who follows snapshots", value=snapshots.readers)
