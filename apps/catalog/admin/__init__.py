from apps.catalog.admin import meter as meter
from apps.catalog.admin import plan as plan
from apps.catalog.admin import plan_version as plan_version
from apps.catalog.admin import price as price
from apps.catalog.admin import price_book as price_book
from apps.catalog.admin import product as product
