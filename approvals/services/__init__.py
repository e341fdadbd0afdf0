"""One verb a module: the only writers of approvals."""
