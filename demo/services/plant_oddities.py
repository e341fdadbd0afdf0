"""Give the shop's customers cities and notes, some of them wrong, and enter two of them a second time."""

from __future__ import annotations

from django.db import transaction

from demo.models import Customer
from demo.steward.oddities import CITIES, MISSPELT, NOTES, TWINS


def plant_oddities() -> bool:
    """Do it where no customer has a city yet; False elsewhere, where everything stays as it is."""
    with transaction.atomic():
        customers = list(Customer.objects.order_by("name"))
        if not customers or any(customer.city for customer in customers):
            return False
        for place, customer in enumerate(customers):
            customer.city = MISSPELT.get(customer.name, CITIES[place % len(CITIES)])
            customer.note = NOTES.get(customer.name, "")
        Customer.objects.bulk_update(customers, ["city", "note"])
        Customer.objects.bulk_create(
            [Customer(name=twin.name, email=twin.email, city=twin.city) for twin in TWINS],
            ignore_conflicts=True,
        )
        return True
