"""The launcher of one machine: an environment, a PostgreSQL, a broker and the processes of the product.

No module here imports Django, and bootstrap imports nothing that has to be installed.
Production uses endpoints only, which reads DATABASE_URL and CELERY_BROKER_URL.
"""
