from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "apps.audit"
    label = "audit"

    def ready(self) -> None:
        from apps.audit.services.record import record
        from apps.core.recording import use_recorder

        use_recorder(record)
