"""Figures of what agents do, counted as it happens."""

from __future__ import annotations

from typing import Final

from audit.counts import Counted, Measured

MODEL_SECONDS: Final = Measured(
    "countersign_model_attempt_seconds",
    "How long attempts at a model took, failed ones among them.",
    ("model",),
)
MODEL_ERRORS: Final = Counted(
    "countersign_model_errors_total", "Attempts at a model that failed, by code.", ("model", "code")
)
MODEL_TOKENS: Final = Counted(
    "countersign_model_tokens_total", "Tokens of models' replies.", ("model", "direction")
)
MODEL_COST: Final = Counted(
    "countersign_model_cost_micros_total",
    "Cost of models' replies, in millionths of the currency unit.",
    ("model",),
)
MODEL_UNPRICED: Final = Counted(
    "countersign_model_unpriced_calls_total", "Replies of models without a price.", ("model",)
)
TOOL_SECONDS: Final = Measured(
    "countersign_tool_call_seconds", "How long calls of tools took.", ("tool",)
)
TOOL_ERRORS: Final = Counted(
    "countersign_tool_errors_total",
    "Calls of tools that gave no result, by code.",
    ("tool", "code"),
)
WAKES: Final = Counted(
    "countersign_wakes_total",
    "Wake-ups of runs: sent, sent again by the sweep, or lost because Redis was away.",
    ("queue", "outcome"),
)
LEASES_EXPIRED: Final = Counted(
    "countersign_leases_expired_total",
    "Leases that ran out under a worker that gave no sign of life.",
)
RUNS_ENDED: Final = Counted(
    "countersign_runs_ended_total", "Runs that ended, by agent and how.", ("agent", "state")
)

ALL: Final = (
    *(MODEL_SECONDS, MODEL_ERRORS, MODEL_TOKENS, MODEL_COST, MODEL_UNPRICED),
    *(TOOL_SECONDS, TOOL_ERRORS, WAKES, LEASES_EXPIRED, RUNS_ENDED),
)
