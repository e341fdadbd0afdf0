"""What the digests in a request's events stand for: the call, what people were shown, the policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from approvals.models import PolicyVersion, RequestRevision
from audit.canonical import canonical_bytes
from audit.document_ports import Reference


class RequestDocuments:
    """Fills in `audit.document_ports.Documents`."""

    def documents(self, references: Sequence[Reference], *, sensitive: bool) -> dict[str, bytes]:
        """The documents that stand here, by digest; what only some may read needs `sensitive`."""
        policies = [each.digest for each in references if each.name == "policy"]
        wanted = {each.digest for each in references}
        requests = {each.request for each in references if each.request and each.name != "policy"}
        revisions = RequestRevision.objects.filter(request__in=requests)
        if not sensitive:
            revisions = revisions.filter(request__sensitive=[], request__withheld=[])
        found = {
            policy.sha256: canonical_bytes(policy.document)
            for policy in PolicyVersion.objects.filter(sha256__in=policies)
        }
        for revision in revisions.iterator(500):
            found.update(_of_revision(revision))
        return {digest: data for digest, data in found.items() if digest in wanted}


def _of_revision(revision: RequestRevision) -> Iterator[tuple[str, bytes]]:
    shown = revision.document
    yield revision.shown_sha256, bytes(revision.shown)
    call = {name: shown[name] for name in ("tool", "tool_version", "arguments")}
    yield revision.digest, canonical_bytes(call)
