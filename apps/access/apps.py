from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "apps.access"
    label = "access"

    def ready(self) -> None:
        from apps.access.services.provision import provision_access
        from apps.tenants.services.provision import add_provisioning_step

        add_provisioning_step(provision_access)
