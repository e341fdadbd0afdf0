"""Handing a batch to its receiver, whatever its kind. It is delivered once this returns, and not before."""

from django.conf import settings

from audit.streaming.batches import Batch
from audit.streaming.failing import NotDelivered
from audit.streaming.files import append
from audit.streaming.sinks import Lines, SecretTrouble, Sink, Webhook
from audit.streaming.syslog import send
from audit.streaming.webhook import post


def deliver(sink: Sink, batch: Batch) -> None:
    """Hand over the batch, within COUNTERSIGN_AUDIT_SINK_TIMEOUT_SECONDS where it goes over a network.

    Raises `NotDelivered`; the receiver may have got some or all of the batch then.
    """
    seconds = settings.COUNTERSIGN.audit_sink_timeout_seconds
    try:
        if isinstance(sink, Webhook):
            post(sink, batch, seconds)
        elif isinstance(sink, Lines):
            append(sink, batch)
        else:
            send(sink, batch, seconds)
    except SecretTrouble as trouble:
        raise NotDelivered("secret", str(trouble)) from trouble
