"""The shop's hosted agents. Written to be copied: an agent is its tools, its instructions and its limits."""

from demo.agents.refunds import (
    issue_refund,
    look_up_order,
    read_refund_rules,
    refund_desk,
    send_email,
)

__all__ = ["issue_refund", "look_up_order", "read_refund_rules", "refund_desk", "send_email"]
