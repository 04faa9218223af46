from apps.customers.admin import customer as customer
