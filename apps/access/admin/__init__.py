from apps.access.admin import api_key as api_key
from apps.access.admin import role as role
from apps.access.admin import staff_user as staff_user
