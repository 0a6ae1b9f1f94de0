"""Measurements of the service, each held to a bar; ``python -m bench`` runs them."""
