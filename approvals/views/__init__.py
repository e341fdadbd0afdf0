"""Pages of the inbox, of one request and of policies: translate, one domain call, translate back."""
