"""What runs at a site: Celery and torch. Never the database, never the web framework.

Published to `backend`: `messages`, `artifacts`, `app`; everything else is private to the worker.
"""
