from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "apps.access"
    label = "access"

    def ready(self) -> None:
        from apps.access.services.provision import provision_access
        from apps.tenants.services.provision import add_provisioning_step

        add_provisioning_step(provision_access)
        # After each schema's migration: roles know the permissions of new models.
        post_migrate.connect(refresh_roles, sender=self)


def refresh_roles(**_: object) -> None:
    from apps.access.services.roles import ensure_roles

    ensure_roles()
