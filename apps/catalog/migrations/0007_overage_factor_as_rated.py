"""An overage factor keeps as many digits as rating reads; nine decimals would have rounded it in silence."""

from decimal import Decimal

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_tiers_frozen_when_published"),
    ]

    operations = [
        migrations.AlterField(
            model_name="price",
            name="commitment_overage_factor",
            field=models.DecimalField(
                decimal_places=18,
                default=1,
                help_text="What exceeds the commitment costs this many times its price.",
                max_digits=38,
                validators=[django.core.validators.MinValueValidator(Decimal("1"))],
            ),
        ),
    ]
