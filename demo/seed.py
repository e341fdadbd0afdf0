"""Make the demo: shop, accounts, agents and policy. Doing it again finds what is there."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection, transaction

from agents import registry
from agents.services.operate_agent import activate_version
from agents.services.sync import sync_agents
from audit.actors import Actor
from audit.clock import database_now
from demo.services.open_accounts import ACCOUNTS, keep_password, open_accounts
from demo.services.plant_oddities import plant_oddities
from demo.services.publish_policy import publish_policy
from demo.services.stock_payables import stock_payables
from demo.services.stock_shop import stock_shop

ONE_AT_A_TIME = 7_302_201
"""Number of the advisory lock that keeps two demos of one database from seeding at once."""


@dataclass(frozen=True)
class SeedReport:
    """What there is now. As text: the accounts and their password, for the terminal."""

    new_shop: bool
    new_accounts: tuple[str, ...]
    accounts: tuple[str, ...]
    records_keepers: tuple[str, ...]
    policy_version: int
    password: str = field(repr=False)

    def __str__(self) -> str:
        keepers = " and ".join(self.records_keepers)
        return (
            f"Accounts: {', '.join(self.accounts)}\n"
            f"Password: {self.password}\n"
            f"Records keepers: {keepers} (legal holds; an erasure takes both)"
        )


def seed() -> SeedReport:
    """Make what is missing, all of it or nothing.

    The password is `COUNTERSIGN_DEMO_PASSWORD`, else a random one that the data directory keeps.
    """
    config = settings.COUNTERSIGN
    actor = Actor.system("demo")
    given = config.demo_password
    password = given or keep_password(config.data_dir / "keys")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
        today = database_now().date()
        new_shop = stock_shop(today=today)
        stock_payables(today=today)
        plant_oddities()
        new_accounts = open_accounts(password=password, renew=bool(given), actor=actor)
        sync_agents(registry.all_agents(), actor=actor)
        for agent in registry.all_agents():
            activate_version(slug=agent.slug, digest=agent.version, caller=actor)
        policy_version = publish_policy(actor=actor)
    return SeedReport(
        new_shop=new_shop,
        new_accounts=tuple(new_accounts),
        accounts=tuple(account.username for account in ACCOUNTS),
        records_keepers=tuple(
            account.username for account in ACCOUNTS if "records-keeper" in account.roles
        ),
        policy_version=policy_version,
        password=password,
    )
