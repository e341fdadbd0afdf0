"""The headings of the OWASP Application Security Verification Standard 5.0.0, by chapter, as its own table of
requirements names them (github.com/OWASP/ASVS, 5.0/docs_en)."""

from typing import Final

HEADINGS: Final = {
    "Encoding and Sanitization": (
        "Encoding and Sanitization Architecture",
        "Injection Prevention",
        "Sanitization",
        "Memory, String, and Unmanaged Code",
        "Safe Deserialization",
    ),
    "Validation and Business Logic": (
        "Validation and Business Logic Documentation",
        "Input Validation",
        "Business Logic Security",
        "Anti-automation",
    ),
    "Web Frontend Security": (
        "Web Frontend Security Documentation",
        "Unintended Content Interpretation",
        "Cookie Setup",
        "Browser Security Mechanism Headers",
        "Browser Origin Separation",
        "External Resource Integrity",
        "Other Browser Security Considerations",
    ),
    "API and Web Service": (
        "Generic Web Service Security",
        "HTTP Message Structure Validation",
        "GraphQL",
        "WebSocket",
    ),
    "File Handling": (
        "File Handling Documentation",
        "File Upload and Content",
        "File Storage",
        "File Download",
    ),
    "Authentication": (
        "Authentication Documentation",
        "Password Security",
        "General Authentication Security",
        "Authentication Factor Lifecycle and Recovery",
        "General Multi-factor authentication requirements",
        "Out-of-Band authentication mechanisms",
        "Cryptographic authentication mechanism",
        "Authentication with an Identity Provider",
    ),
    "Session Management": (
        "Session Management Documentation",
        "Fundamental Session Management Security",
        "Session Timeout",
        "Session Termination",
        "Defenses Against Session Abuse",
        "Federated Re-authentication",
    ),
    "Authorization": (
        "Authorization Documentation",
        "General Authorization Design",
        "Operation Level Authorization",
        "Other Authorization Considerations",
    ),
    "Self-contained Tokens": ("Token source and integrity", "Token content"),
    "OAuth and OIDC": (
        "Generic OAuth and OIDC Security",
        "OAuth Client",
        "OAuth Resource Server",
        "OAuth Authorization Server",
        "OIDC Client",
        "OpenID Provider",
        "Consent Management",
    ),
    "Cryptography": (
        "Cryptographic Inventory and Documentation",
        "Secure Cryptography Implementation",
        "Encryption Algorithms",
        "Hashing and Hash-based Functions",
        "Random Values",
        "Public Key Cryptography",
        "In-Use Data Cryptography",
    ),
    "Secure Communication": (
        "General TLS Security Guidance",
        "HTTPS Communication with External Facing Services",
        "General Service to Service Communication Security",
    ),
    "Configuration": (
        "Configuration Documentation",
        "Backend Communication Configuration",
        "Secret Management",
        "Unintended Information Leakage",
    ),
    "Data Protection": (
        "Data Protection Documentation",
        "General Data Protection",
        "Client-side Data Protection",
    ),
    "Secure Coding and Architecture": (
        "Secure Coding and Architecture Documentation",
        "Security Architecture and Dependencies",
        "Defensive Coding",
        "Safe Concurrency",
    ),
    "Security Logging and Error Handling": (
        "Security Logging Documentation",
        "General Logging",
        "Security Events",
        "Log Protection",
        "Error Handling",
    ),
    "WebRTC": ("TURN Server", "Media", "Signaling"),
}
