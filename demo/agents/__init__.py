"""The shop's hosted agents. Written to be copied: an agent is its tools, its instructions and its limits."""

from demo.agents.payouts import supplier_payout
from demo.agents.refunds import (
    issue_refund,
    look_up_order,
    read_refund_rules,
    refund_desk,
    send_email,
)
from demo.agents.steward import change_rows, data_steward, describe_tables, query, row_checker

__all__ = [
    "change_rows",
    "data_steward",
    "describe_tables",
    "issue_refund",
    "look_up_order",
    "query",
    "read_refund_rules",
    "refund_desk",
    "row_checker",
    "send_email",
    "supplier_payout",
]
