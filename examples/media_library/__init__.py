"""A public library's back office: who may do and see what, and how they log in."""
