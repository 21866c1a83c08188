"""Who may change a bundle: signatures in the format of OpenSSF Model Signing, verified with keys that a site trusts."""
