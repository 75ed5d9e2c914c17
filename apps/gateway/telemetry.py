"""Prometheus figures of one gateway process, in a registry of its own so that two apps in one process do not mix."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REQUEST_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60)
JUDGE_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.2, 0.5, 1, 2, 5)


class Telemetry:
    """What is counted. Labels hold route templates and fixed words only, never what a caller sent."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.requests = Counter(
            "assay_requests_total", "Requests answered", ["route", "method", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "assay_request_seconds",
            "From first byte to answer",
            ["route"],
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("assay_requests_in_flight", "Requests being answered", registry=self.registry)
        self.decisions = Counter(
            "assay_decisions_total", "Decisions and verdicts given", ["domain", "decision"], registry=self.registry
        )
        self.judge_seconds = Histogram(
            "assay_judge_seconds",
            "Time in the model and around it, without waiting",
            ["domain"],
            buckets=JUDGE_SECONDS,
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "assay_queue_seconds",
            "Time a case waited for a thread",
            ["domain"],
            buckets=JUDGE_SECONDS,
            registry=self.registry,
        )
        self.refused = Counter(
            "assay_refused_total", "Requests refused, by problem code", ["code"], registry=self.registry
        )
        self.judging = Gauge("assay_judging", "Cases being judged or waiting for a thread", registry=self.registry)

    def text(self) -> bytes:
        """The exposition, in the format of `CONTENT_TYPE`."""
        return generate_latest(self.registry)


CONTENT_TYPE = CONTENT_TYPE_LATEST
