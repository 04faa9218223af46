from apps.customers.admin import customer as customer
from apps.customers.admin import panels as panels
