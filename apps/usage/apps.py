from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "apps.usage"
    label = "usage"

    def ready(self) -> None:
        from apps.catalog.services import meters
        from apps.core.jobs import register_due_job
        from apps.usage import tasks
        from apps.usage.jobs import register_usage_jobs
        from apps.usage.services.meter_backfill.discard import discard_readings

        register_usage_jobs()
        meters.definition_changed_hooks.append(discard_readings)
        # It only sends tasks, so that it is due at no instant of its own.
        register_due_job(
            name="meter_backfills", rank=80, next_due_at=lambda: None, run=tasks.send_waiting_backfills
        )
