"""What bodies of approvals share."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Base of what is posted here: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")
