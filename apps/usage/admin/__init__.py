from apps.usage.admin import dimensions as dimensions
from apps.usage.admin import panels as panels
from apps.usage.admin import quarantined_event as quarantined_event
from apps.usage.admin import usage_event as usage_event
