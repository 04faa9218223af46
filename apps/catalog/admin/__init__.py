from apps.catalog.admin import meter as meter
from apps.catalog.admin import plan as plan
from apps.catalog.admin import plan_version as plan_version
