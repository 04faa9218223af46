from apps.subscriptions.admin import add_ons as add_ons
from apps.subscriptions.admin import life as life
from apps.subscriptions.admin import negotiated as negotiated
from apps.subscriptions.admin import panels as panels
from apps.subscriptions.admin import subscription as subscription
from apps.subscriptions.admin import versions as versions
