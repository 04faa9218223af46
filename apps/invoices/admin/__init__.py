from apps.invoices import at_risk as at_risk
from apps.invoices.admin import backfill_effect as backfill_effect
from apps.invoices.admin import billing_settings as billing_settings
from apps.invoices.admin import event_panel as event_panel
from apps.invoices.admin import invoice as invoice
from apps.invoices.admin import legal_entity as legal_entity
from apps.invoices.admin import panels as panels
