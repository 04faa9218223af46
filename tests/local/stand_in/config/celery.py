"""Stands in for the product's Celery: the same broker, no tasks."""

from celery import Celery

from config.local.endpoints import broker_url
from config.local.paths import LOCAL

app = Celery("stand_in", broker=broker_url())
app.conf.update(broker_connection_retry_on_startup=True, beat_schedule_filename=str(LOCAL / "schedule"))
