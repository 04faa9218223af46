from apps.usage.admin import archive as archive
from apps.usage.admin import dimensions as dimensions
from apps.usage.admin import import_run as import_run
from apps.usage.admin import panels as panels
from apps.usage.admin import quarantined_event as quarantined_event
from apps.usage.admin import usage_event as usage_event
from apps.usage.admin import usage_settings as usage_settings
