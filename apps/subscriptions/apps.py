from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "apps.subscriptions"
    label = "subscriptions"

    def ready(self) -> None:
        from apps.catalog.services.plans import add_forgetter
        from apps.catalog.services.versions import add_mover
        from apps.subscriptions.services.move import move_subscribers
        from apps.subscriptions.services.negotiate import forget_negotiation

        add_mover(move_subscribers)
        add_forgetter(forget_negotiation)
