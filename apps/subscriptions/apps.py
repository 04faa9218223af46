from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "apps.subscriptions"
    label = "subscriptions"

    def ready(self) -> None:
        from apps.catalog.services.versions import add_mover
        from apps.subscriptions.services.move import move_subscribers

        add_mover(move_subscribers)
