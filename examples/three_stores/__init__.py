"""One backoffice over three stores, with references across them."""

__all__: list[str] = []
