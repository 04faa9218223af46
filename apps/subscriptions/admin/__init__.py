from apps.subscriptions.admin import panels as panels
from apps.subscriptions.admin import subscription as subscription
