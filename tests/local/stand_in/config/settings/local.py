"""Celery looks for Django's settings when it is named in the environment; these are the fewest that load."""

from config.local.secrets import local_secret_key

SECRET_KEY = local_secret_key()
USE_TZ = True
