"""A customer pays in one currency: once there is a subscription it can't be changed any more."""

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_change_of_currency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency <> OLD.currency
       AND EXISTS (SELECT 1 FROM subscriptions_subscription WHERE customer_id = OLD.id) THEN
        RAISE EXCEPTION 'customer % pays in % since the first subscription', OLD.external_id, OLD.currency
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER customers_customer_keeps_currency BEFORE UPDATE ON customers_customer
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_currency();
"""
DROP = """
DROP TRIGGER customers_customer_keeps_currency ON customers_customer;
DROP FUNCTION refuse_change_of_currency();
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0004_fill_phases"), ("customers", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
