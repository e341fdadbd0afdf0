"""Parts of the product that act by themselves, as sentences call them."""

from typing import Final

from audit.wordings import Words

SYSTEM: Final = Words(
    {
        "approvals": "the approvals",
        "breaker": "the breaker",
        "budget": "the budget",
        "callback": "the callback",
        "cancel": "the cancelling",
        "child-run": "the sub-agent's run",
        "deadline": "the deadline",
        "decision": "the decision",
        "demo": "the demo",
        "deploy": "the deployment",
        "engine": "the engine",
        "evaluate": "the evaluation",
        "goal-change": "the change of the task",
        "identity-provider": "the identity provider",
        "in-doubt": "the settling of a doubt",
        "insights": "the insights",
        "kill-switch": "the kill switch",
        "limits": "the limits",
        "policy": "the policy",
        "rehearsal": "the rehearsal",
        "resources": "the resources",
        "retention": "the retention",
        "sealer": "the sealer",
        "shell": "the shell",
        "shipped-policy": "the shipped policy",
        "sign-in": "the sign-in",
        "streamer": "the streamer",
        "sweeper": "the sweeper",
        "verification": "the verification",
        "witness-asker": "the asking of witnesses",
    }
)
