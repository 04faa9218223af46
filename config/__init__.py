"""What turns the apps into a running site: settings, URLs, WSGI, Celery and the launcher in config.local.

Nothing is imported here: the launcher runs before anything is installed.
"""
