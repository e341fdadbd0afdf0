"""Hosted agents, their versions, runs, steps and effects."""

from agents.kill_switches import new_id
from agents.models.agent import AgentVersion, HostedAgent, HostedAgentQuerySet, OfferedTools
from agents.models.effect import EffectRecord
from agents.models.memory import Memory, MemoryQuerySet
from agents.models.message import RunMessage
from agents.models.price import ModelPrice, ModelPriceQuerySet
from agents.models.reported import ReportedModel
from agents.models.resource import ResourceClaim, ToolHealth
from agents.models.run import Run, RunQuerySet
from agents.models.simulation import Simulation
from agents.models.spend import AgentSpend, BudgetNotice
from agents.models.step import Step, StepQuerySet

__all__ = [
    "AgentSpend",
    "AgentVersion",
    "BudgetNotice",
    "EffectRecord",
    "HostedAgent",
    "HostedAgentQuerySet",
    "Memory",
    "MemoryQuerySet",
    "ModelPrice",
    "ModelPriceQuerySet",
    "OfferedTools",
    "ReportedModel",
    "ResourceClaim",
    "Run",
    "RunMessage",
    "RunQuerySet",
    "Simulation",
    "Step",
    "StepQuerySet",
    "ToolHealth",
    "new_id",
]
