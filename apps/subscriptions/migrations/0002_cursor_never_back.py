"""The billing cursor moves only forward: what is billed is billed."""

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_cursor_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.invoiced_until < OLD.invoiced_until THEN
        RAISE EXCEPTION 'subscription % is billed until %; its cursor can''t go back', OLD.id, OLD.invoiced_until
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER subscriptions_cursor_moves_forward BEFORE UPDATE ON subscriptions_subscription
    FOR EACH ROW EXECUTE FUNCTION refuse_cursor_back();
"""
DROP = """
DROP TRIGGER subscriptions_cursor_moves_forward ON subscriptions_subscription;
DROP FUNCTION refuse_cursor_back();
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
