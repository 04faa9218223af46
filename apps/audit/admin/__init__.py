from apps.audit.admin import audit_entry as audit_entry
