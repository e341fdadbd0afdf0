"""Runs, steps and agents in plain words: the one place where their pages' sentences stand. Pure."""

from agents.wording.agents import BREAKERS, CATEGORIES, EFFECT_CLASSES, EFFECTS
from agents.wording.effects import EFFECT_STATES, UNDOS, bounced_words, effect_words, undo_words
from agents.wording.runs import OUTCOMES, RUN_STATES, run_state, run_tone, why_it_stands
from agents.wording.steps import (
    held_back_words,
    is_in_line,
    model_trouble,
    said_to_agent,
    step_state,
    step_tone,
)
from agents.wording.texts import brief, plain
from agents.wording.titles import CHOSEN, FOUND, STEP_ICONS, move_words, step_title

__all__ = [
    "BREAKERS",
    "CATEGORIES",
    "CHOSEN",
    "EFFECTS",
    "EFFECT_CLASSES",
    "EFFECT_STATES",
    "FOUND",
    "OUTCOMES",
    "RUN_STATES",
    "STEP_ICONS",
    "UNDOS",
    "bounced_words",
    "brief",
    "effect_words",
    "held_back_words",
    "is_in_line",
    "model_trouble",
    "move_words",
    "plain",
    "run_state",
    "run_tone",
    "said_to_agent",
    "step_state",
    "step_title",
    "step_tone",
    "undo_words",
    "why_it_stands",
]
