"""Addresses of the runs and agents pages."""

from django.urls import path

from agents.views import (
    agents,
    comparing,
    controls,
    forking,
    kill_switches,
    limits,
    memories,
    prices,
    replaying,
    runs,
    steps,
    versions,
)

urlpatterns = [
    path("runs/", runs.run_list, name="run-list"),
    path("runs/start/", runs.run_start, name="run-start"),
    path("runs/compare/", comparing.run_compare, name="run-compare"),
    path("runs/<uuid:pk>/", runs.run_detail, name="run-detail"),
    path("runs/<uuid:pk>/steps/", runs.run_steps, name="run-steps"),
    path("runs/<uuid:pk>/windows/<int:number>/", steps.run_window, name="run-window"),
    path("runs/<uuid:pk>/steps/<int:seq>/", steps.run_step, name="run-step"),
    path("runs/<uuid:pk>/replay/", replaying.run_replay, name="run-replay"),
    path("runs/<uuid:pk>/fork/", forking.run_fork, name="run-fork"),
    path("runs/<uuid:pk>/cancel/", controls.run_cancel, name="run-cancel"),
    path("runs/<uuid:pk>/pause/", controls.run_pause, name="run-pause"),
    path("runs/<uuid:pk>/resume/", controls.run_resume, name="run-resume"),
    path("runs/<uuid:pk>/message/", controls.run_message, name="run-message"),
    path("runs/<uuid:pk>/goal/", controls.run_goal, name="run-goal"),
    path("runs/<uuid:pk>/take-over/", controls.run_take_over, name="run-take-over"),
    path("runs/<uuid:pk>/effects/<uuid:effect>/undo/", controls.effect_undo, name="effect-undo"),
    path("kill-switches/", kill_switches.switch_list, name="kill-switches"),
    path("kill-switches/set/", kill_switches.switch_set, name="kill-switch-set"),
    path("kill-switches/banner/", kill_switches.switch_banner, name="kill-switch-banner"),
    path("kill-switches/<uuid:pk>/lift/", kill_switches.switch_lift, name="kill-switch-lift"),
    path("prices/", prices.price_list, name="price-list"),
    path("agents/", agents.agent_list, name="agent-list"),
    path("agents/<slug:slug>/", agents.agent_detail, name="agent-detail"),
    path("agents/<slug:slug>/limits/", limits.agent_limits, name="agent-limits"),
    path("agents/<slug:slug>/memory/", memories.memory_list, name="memory-list"),
    path(
        "agents/<slug:slug>/memory/<uuid:pk>/delete/", memories.memory_delete, name="memory-delete"
    ),
    path("agents/<slug:slug>/disable/", agents.agent_disable, name="agent-disable"),
    path("agents/<slug:slug>/enable/", agents.agent_enable, name="agent-enable"),
    path("agents/<slug:slug>/activate/", agents.agent_activate, name="agent-activate"),
    path("agents/<slug:slug>/versions/<str:digest>/", versions.agent_version, name="agent-version"),
]
