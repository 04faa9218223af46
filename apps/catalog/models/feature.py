"""Products and features: what is sold, in the words of those who sell it."""

from django.db import models

from apps.catalog.models.meter import Meter
from apps.core import clock
from apps.core.validators import code_validator


class Product(models.Model):
    """What a plan belongs to, for lists and reports: an API, an assistant, a platform."""

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Feature(models.Model):
    """Something a customer may have or use. A metered one is measured by its meter."""

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    meter = models.ForeignKey(Meter, models.PROTECT, null=True, blank=True, related_name="features")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
