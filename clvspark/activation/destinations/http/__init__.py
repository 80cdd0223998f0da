"""Webhooks: what a request holds, how it is repeated, and when one stops asking."""

from clvspark.activation.destinations.http.send import send_http

__all__ = ["send_http"]
