"""Signing in at a company's identity provider, by OpenID Connect Core 1.0: authorization code, PKCE, nonce."""
