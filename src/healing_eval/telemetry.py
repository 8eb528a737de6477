"""What do we tell operators? Events and metrics; never the content of a turn, never a key.

Events are named `noun.verbed`, values are fields. Metric labels are few and from closed sets: evaluator, lane, status,
outcome, error class, model and direction; what others choose is bounded.
"""

from __future__ import annotations

import logging
import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()

MOST_VALUES = 50
"""How many values a label takes that others choose: each is a time series for ever."""


class Bounded:
    """Values of a label that others choose, such as a model's name: the first of them, and "other" for the rest."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        """Take how many different ones are kept."""
        self._most = most
        self._kept: set[str] = set()

    def __call__(self, value: str) -> str:
        """Give the value that is counted instead of this one."""
        if value in self._kept:
            return value
        if len(self._kept) == self._most:
            return "other"
        self._kept.add(value)
        return value


class Durations(Collector):
    """A histogram that takes many observations at once; the library's takes two locks for each."""

    def __init__(
        self, name: str, documentation: str, label: str, bounds: Sequence[float], *, registry: CollectorRegistry
    ) -> None:
        """Take its name, its only label, and the upper bounds of its buckets in seconds, in order."""
        self._about = name, documentation, None, None, [label]
        self._bounds = tuple(bounds)
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def observe(self, value: str, seconds: Iterable[float]) -> None:
        """Count durations under a value of the label."""
        counts = self._counts.setdefault(value, [0] * (len(self._bounds) + 1))
        total = self._sums.get(value, 0.0)
        for one in seconds:
            counts[bisect_left(self._bounds, one)] += 1
            total += one
        self._sums[value] = total

    def describe(self) -> list[HistogramMetricFamily]:
        """Say what it is, without any count."""
        return [HistogramMetricFamily(*self._about)]

    def collect(self) -> list[HistogramMetricFamily]:
        """Give all counts."""
        [family] = self.describe()
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for value, counts in self._counts.items():
            up_to = map(float, accumulate(counts))
            family.add_metric([value], list(zip(bounds, up_to, strict=True)), self._sums[value])
        return [family]


INGESTED = Counter(
    "healing_eval_ingested_conversations_total",
    "Items received, by what became of them (accepted, revised, duplicate, rejected).",
    ["status"],
    registry=REGISTRY,
)
UNRUNG = Counter(
    "healing_eval_unrung_conversations_total",
    "Conversations stored whose lane's stream could not be told; the sweeper rings again.",
    ["lane"],
    registry=REGISTRY,
)
CONVERSATIONS = Gauge(
    "healing_eval_conversations",
    "Conversations in the store, by status; given by the one process that sweeps.",
    ["status"],
    registry=REGISTRY,
)
OLDEST_PENDING_SECONDS = Gauge(
    "healing_eval_oldest_pending_seconds",
    "Age of the conversation that waits longest on a lane, 0 if none waits; given by the one process that sweeps.",
    ["lane"],
    registry=REGISTRY,
)
STORE_UP = Gauge("healing_eval_store_up", "1 if the store answers and takes writes, else 0.", registry=REGISTRY)
STREAM_UP = Gauge("healing_eval_stream_up", "1 if the stream answers, else 0.", registry=REGISTRY)
QUEUE_DEPTH = Gauge(
    "healing_eval_queue_depth", "Messages of a lane that are not acknowledged yet.", ["lane"], registry=REGISTRY
)
BATCH_MESSAGES = Histogram(
    "healing_eval_batch_messages",
    "Messages in one batch of a worker, by lane.",
    ["lane"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    registry=REGISTRY,
)
EVALUATIONS = Counter(
    "healing_eval_evaluations_total",
    "Evaluations made, by evaluator and status (measured, abstained, failed).",
    ["evaluator", "status"],
    registry=REGISTRY,
)
EVALUATION_SECONDS = Durations(
    "healing_eval_evaluation_seconds",
    "Time one evaluation took.",
    "evaluator",
    (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
FAILURES = Counter(
    "healing_eval_evaluation_failures_total",
    "Evaluations that failed, by evaluator and class of error.",
    ["evaluator", "kind"],
    registry=REGISTRY,
)
VERDICTS = Counter(
    "healing_eval_verdicts_total", "Final verdicts, by outcome (pass, fail, unknown).", ["outcome"], registry=REGISTRY
)
MODEL_TOKENS = Counter(
    "healing_eval_model_tokens_total",
    "Tokens of model calls, by evaluator, model as it answered, and direction (input, output).",
    ["evaluator", "model", "direction"],
    registry=REGISTRY,
)
MODEL_COST = Counter(
    "healing_eval_model_cost_dollars_total",
    "Dollars that model calls cost, by evaluator and model as it answered; what has no known price is not in it.",
    ["evaluator", "model"],
    registry=REGISTRY,
)
UNPRICED_CALLS = Counter(
    "healing_eval_model_unpriced_calls_total",
    "Model calls whose cost is not known and in no sum, by evaluator and model as it answered.",
    ["evaluator", "model"],
    registry=REGISTRY,
)
BUDGET_SPENT = Gauge(
    "healing_eval_budget_spent_ratio",
    "Share of a budget that is spent or reserved in its period, 1 at its limit; as this process last saw it.",
    ["budget"],
    registry=REGISTRY,
)
BUDGET_SKIPPED = Counter(
    "healing_eval_budget_skipped_total",
    "Conversations that an evaluator did not look at because of a budget: it is spent (spent), or nearly so and they "
    "were not among the sampled ones (not_sampled).",
    ["budget", "evaluator", "reason"],
    registry=REGISTRY,
)
BUDGET_UNKNOWN = Counter(
    "healing_eval_budget_unknown_cost_total",
    "Evaluations whose cost in a unit (dollars, tokens) of a budget's limit is not known, so that it was not charged.",
    ["budget", "evaluator", "unit"],
    registry=REGISTRY,
)
MODEL_TURNS = Counter(
    "healing_eval_model_turns_total",
    "Questions to a deployment that has limits, and whether a turn was granted or they were held.",
    ["deployment", "outcome"],
    registry=REGISTRY,
)
MODEL_TURN_WAIT = Histogram(
    "healing_eval_model_turn_wait_seconds",
    "Time a question waited for its turn under a deployment's limits.",
    ["deployment"],
    buckets=(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
MODEL_REQUESTS = Counter(
    "healing_eval_model_requests_total",
    "Questions put to a deployment, by what came of it: answered, unavailable, throttled (it told when to come again), "
    "held (by our own limits), refused (this question), not_admitted (any of ours).",
    ["deployment", "outcome"],
    registry=REGISTRY,
)
MODEL_BATCHES = Counter(
    "healing_eval_model_batches_total",
    "Batches at a deployment's provider: handed_in, ended, cancelled, or failed as a whole.",
    ["deployment", "outcome"],
    registry=REGISTRY,
)
MODEL_BATCH_QUESTIONS = Counter(
    "healing_eval_model_batch_questions_total",
    "Questions of batches that have ended, by what came of them (answered, unanswered).",
    ["deployment", "outcome"],
    registry=REGISTRY,
)
MODEL_BATCH_WAITING = Gauge(
    "healing_eval_model_batch_waiting",
    "Questions that wait for a batch, by what they ask; given by the one process that hands batches in.",
    ["model"],
    registry=REGISTRY,
)
MODEL_BATCH_OPEN = Gauge(
    "healing_eval_model_batch_open",
    "Questions in batches that have not ended; given by the one process that hands batches in.",
    ["deployment"],
    registry=REGISTRY,
)
MODEL_BATCH_LOOKS = Counter(
    "healing_eval_model_batch_looks_total",
    "How it stood with questions that may wait when their answers were looked for: pending, answered, direct (asked in "
    "the ordinary way, since batches failed), or error (the store did not tell).",
    ["model", "outcome"],
    registry=REGISTRY,
)
DEPLOYMENT_OPEN = Gauge(
    "healing_eval_deployment_open",
    "1 while a deployment is set aside since it does not answer or takes nothing from us, else 0; by process.",
    ["deployment"],
    registry=REGISTRY,
)
RESULT_CACHE = Counter(
    "healing_eval_result_cache_total",
    "Results of evaluators that ask a model: found among what was remembered (hit), not found there (miss), remembered "
    "(stored), or neither since the cache failed or was too slow (error).",
    ["evaluator", "outcome"],
    registry=REGISTRY,
)
_SERVER_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
STORE_SECONDS = Histogram(
    "healing_eval_store_seconds",
    "Time one operation of the store took, failed ones included.",
    ["operation"],
    buckets=_SERVER_BUCKETS,
    registry=REGISTRY,
)
STREAM_SECONDS = Histogram(
    "healing_eval_stream_seconds",
    "Time one operation of the stream took, failed ones included; waiting for work is none.",
    ["operation"],
    buckets=_SERVER_BUCKETS,
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "healing_eval_request_seconds",
    "Time from request to response.",
    ["route", "status"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
SPANS = Counter(
    "healing_eval_spans_total",
    "Spans, by state: made, sent to the collector, lost because it did not take them. Made and neither sent nor lost: "
    "waiting, or dropped since too many waited.",
    ["state"],
    registry=REGISTRY,
)


def configure_logging(level: str, style: Literal["auto", "json", "text"]) -> None:
    """Send events to standard error, as JSON lines or as readable text."""
    as_text = style == "text" or (style == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
