"""The practice model: OpenAI's wire format in front of a small readable script."""
