"""Which settings belong together? The sections of `Settings`, with what each of them means and takes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

_SHORTEST_HANG_SECONDS = 3.0


class Section(BaseModel):
    """Settings that stand in one table of the TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Limits(Section):
    """What a sender may send."""

    body_bytes: PositiveInt = 16 * 1024 * 1024
    """Largest request body, in bytes."""
    batch: PositiveInt = 1000
    """Most conversations in one request."""
    turns: PositiveInt = 5000
    """Most turns in one conversation."""
    id_characters: PositiveInt = 256
    """Longest conversation_id, agent_version, turn_id, project or annotator_id, in characters."""
    backlog: NonNegativeInt = 1_000_000
    """Most conversations that may wait for evaluation before posts are answered 429 with `Retry-After`; 0: no limit."""


class JudgeSettings(Section):
    """The language model that judges."""

    model: str | None = None
    """Model that judges, as provider:model (openai:gpt-4o-mini), or a pool of deployments. None: no judge, and reports
    say so."""
    timeout_seconds: PositiveFloat = 60.0
    """How long one call may take, in seconds."""
    wait_seconds: float = Field(default=60.0, ge=0, le=300)
    """How long a call may wait for its turn under the model's limits, in seconds, at most 300. What would wait longer
    goes back to the stream until there is room, which is no failure."""
    deadline_seconds: PositiveFloat = 300.0
    """How long one evaluation may take in all, in seconds: waiting, asking again and asking several models included.
    Then of several models those count that have answered; if none has, it is a failure that is tried again like a
    model that does not answer."""


def _as_model_name(name: str) -> str:
    provider, _, model = name.partition(":")
    if not (provider and model):
        raise PydanticCustomError("model_name", "expected provider:model, such as openai:gpt-4o-mini")
    return name


ModelName = Annotated[str, AfterValidator(_as_model_name)]
DeploymentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
BudgetName = DeploymentName


class PriceSettings(Section):
    """What a model costs."""

    input_dollars_per_million: float = Field(ge=0, allow_inf_nan=False)
    """Dollars per million tokens of the prompt; 0 is taken as said."""
    output_dollars_per_million: float = Field(ge=0, allow_inf_nan=False)
    """Dollars per million tokens of the answer."""
    cached_input_dollars_per_million: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Dollars per million tokens of the prompt that the server had in its cache. None: the same as any other."""


class DeploymentSettings(Section):
    """One place where a model is served."""

    model: ModelName
    """The model, as provider:model."""
    pool: str | None = Field(default=None, min_length=1)
    """Which pool it belongs to, of which each may answer for the others. None: the one named as its model."""
    url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+")
    """Address of the server. None: the provider's own variable, such as OPENAI_BASE_URL."""
    key_variable: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the variable in the environment that holds the key. None: the provider's own, such as OPENAI_API_KEY."""
    region: str | None = None
    """Where it is, for people; it is shown with the deployment."""
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Share of the pool's work it takes, any positive scale; 0: only what no other can answer."""
    requests_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Requests a minute, of all processes together. None: no limit."""
    tokens_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Tokens a minute, prompts and answers, of all processes together. None: no limit."""
    price: PriceSettings | None = None
    """What it costs, if that is not what its model costs elsewhere."""
    batches: bool | None = None
    """Whether it takes batches, as OpenAI's and Anthropic's own servers do. None: only those do."""


class BatchSettings(Section):
    """Questions to models that may wait up to a day, which providers answer for less."""

    not_urgent: tuple[str, ...] = ()
    """Evaluators whose questions may wait, such as ["judge"]; they are put into batches of the provider."""
    gather_seconds: PositiveFloat = 60.0
    """How long questions are gathered before they are handed in, in seconds."""
    most_questions: int = Field(default=1000, ge=1, le=50_000)
    """Most questions in one batch; when so many wait, they are handed in at once. A batch has at most 64 MB besides."""
    poll_seconds: PositiveFloat = 60.0
    """How often providers are asked how far they are, in seconds."""
    tries: PositiveInt = 2
    """In how many batches a question may fail, or be overtaken by the day's end, before it is asked in the ordinary
    way."""
    price_share: float = Field(default=0.5, ge=0, le=1)
    """What an answer in a batch costs, as a share of the ordinary price, in [0, 1], where no price of batches is
    published: half, by what OpenAI and Anthropic say of all their models."""


class BudgetSettings(Section):
    """What may be spent on models."""

    project: str | None = Field(default=None, min_length=1)
    """Whose conversations it pays for. None: those of all projects, together."""
    evaluator: str | None = Field(default=None, min_length=1)
    """Which evaluator it pays for. None: all that ask a model, together."""
    period: Literal["day", "month"] = "month"
    """When it begins anew: with each day or each month, of UTC."""
    dollars: float | None = Field(default=None, gt=0, le=1_000_000, allow_inf_nan=False)
    """Most dollars in a period. None: no limit."""
    tokens: PositiveInt | None = Field(default=None, le=10**15)
    """Most tokens in a period, of prompts and answers. None: no limit."""
    soft_share: float = Field(default=0.8, gt=0, le=1)
    """From this share of the limit on it alerts and fewer conversations are evaluated, in (0, 1]; 1: none fewer."""
    least_share: float = Field(default=0.1, gt=0, le=1)
    """Share of conversations that is still evaluated just before the limit, in (0, 1]."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.dollars is None and self.tokens is None:
            raise PydanticCustomError("budget_limit", "expected dollars, tokens or both")
        return self


class CacheSettings(Section):
    """What is remembered of evaluators that ask a model."""

    keep_days: float = Field(default=7.0, ge=0, le=36_500)
    """How long a result is remembered, in days, so that the same is not paid for twice; 0: nothing is remembered."""

    @property
    def keep_seconds(self) -> float:
        """The same in seconds."""
        return self.keep_days * 86_400


class VerdictSettings(Section):
    """How evaluations become a verdict."""

    fail_below: float = Field(default=0.5, ge=0, le=1)
    """A conversation fails when its overall score is below this, in [0, 1]."""
    min_measured_weight: float = Field(default=0.3, ge=0, le=1)
    """Share of all weight that must have measured; with less, the outcome is unknown."""
    weights: dict[str, NonNegativeFloat] = {}
    """Evaluator to weight, where it should differ from the evaluator's own; 0 leaves it out of the mean."""


class WorkerSettings(Section):
    """How work is taken from the stream."""

    batch: PositiveInt = 256
    """Most conversations a worker takes at once."""
    judge_concurrency: PositiveInt = 2048
    """Most conversations of one process that wait for the model at once; it begins with 16 and adapts to the model. All
    are in memory: lower it where conversations of megabytes are common."""
    port: int = Field(default=8081, ge=0, le=65535)
    """Port on which `work` answers health checks and gives metrics; further processes take the next; 0: a free one."""
    redeliver_after_seconds: PositiveFloat = 120.0
    """What a worker has in hand is given to another when nothing was heard of it for this long, in seconds. One that
    lives tells of it three times as often, so this is how long a dead one is waited for."""
    hung_after_seconds: NonNegativeFloat = 60.0
    """When a process of `work --processes` or `serve --workers` that hangs is killed and started again, in seconds, at
    least 3; 0: never. Best below redeliver_after_seconds: else another takes over what it hangs on before that."""
    sweep_every_seconds: PositiveFloat = 30.0
    """How often the store is searched for conversations whose message was lost, in seconds."""
    max_attempts: PositiveInt = 10
    """How often a conversation is tried before it is marked failed. What a worker held that was killed counts as tried,
    so with a low number workers that are killed in a row take conversations along."""
    retry_for_seconds: NonNegativeFloat = 900.0
    """How long a conversation is tried again while a model does not answer, in seconds from its first failure; then the
    failure is final. Redis remembers it for all processes; a process that takes over tries for a minute in any case."""
    dead_letters: PositiveInt = 10_000
    """How many messages that were set aside are kept on each lane; the oldest are dropped."""

    @field_validator("hung_after_seconds")
    @classmethod
    def _signs_come_every_second(cls, value: float) -> float:
        if 0 < value < _SHORTEST_HANG_SECONDS:
            raise ValueError(f"input should be 0 or at least {_SHORTEST_HANG_SECONDS:g}")
        return value


class RetentionSettings(Section):
    """How long what was accepted is kept."""

    keep_months: PositiveInt | None = None
    """How many whole months are kept besides the current one; older ones are archived and dropped. None: for ever."""


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""
    format: Literal["auto", "json", "text"] = "auto"
    """JSON lines or readable text; auto writes text on a terminal and JSON elsewhere."""


class TelemetrySettings(Section):
    """Traces: how long each part of the work took, across processes."""

    otlp_endpoint: str | None = None
    """Who takes spans, by OTLP over HTTP, such as http://collector:4318; needs the extra otel. None: no traces."""
    service_name: str = Field(default="healing-eval", min_length=1, max_length=256)
    """What this process calls itself in traces."""
    sampled_share: float = Field(default=1.0, ge=0, le=1)
    """Share of the traces that begin here which is kept, in [0, 1]; who sends a `traceparent` decides about its own."""
