"""Products that the console creates while the cloud runs; the store has them, and the next start takes them in."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.config import (
    AUTHS,
    NODES,
    PRODUCT_NAME,
    PRODUCT_NAME_RULE,
    Config,
    ProductSeed,
)

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Product
    from tools.emulator.cloud.store import Store

SETTING = "created products"
SWITCHES = ("dynamic_registration", "preregistration_free", "private_ca", "whitelist")
KEYS = ("name", "auth", "node", *SWITCHES)
ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ123456789"


def with_created(config: Config, store: Store) -> Config:
    """`config` and the products of earlier runs; what cloud.toml says of a ProductKey wins."""
    known = {seed.product_key for seed in config.products}
    created = [seed_of(one) for one in store.setting(SETTING) or () if one["product_key"] not in known]
    return replace(config, products=(*config.products, *created))


def seed_of(values: dict[str, Any]) -> ProductSeed:
    return ProductSeed(
        values["product_key"],
        None,
        values["auth"],
        values["node"],
        values["dynamic_registration"],
        values["preregistration_free"],
        None,
        (),
        whitelist=values["whitelist"],
        private_ca=values["private_ca"],
        name=values["name"],
    )


def new_key(known: Collection[str]) -> str:
    """A ProductKey that looks like the platform's."""
    while True:
        key = "a1" + "".join(secrets.choice(ALPHABET) for _ in range(9))
        if key not in known:
            return key


def create(instance: Instance, asked: dict[str, Any]) -> Product:
    """Creates a product out of what the console asks: the `KEYS`, all but the name optional; raises ValueError."""
    registry = instance.registry
    values = {"product_key": new_key(registry.products), **checked(asked)}
    seed = seed_of(values)
    with instance.store.transaction():
        instance.store.save_setting(SETTING, [*(instance.store.setting(SETTING) or ()), values])
        made = registry.product(seed, None)
        registry.products[made.product_key] = made
        registry.homes.configured[made.product_key] = None
        instance.id2.identities.license(seed)
    return made


def checked(asked: dict[str, Any]) -> dict[str, Any]:
    """`asked` with the defaults of a cloud.toml; raises ValueError, one line."""
    for key in asked:
        if key not in KEYS:
            raise ValueError(f"{key} is not known; known are {', '.join(KEYS)}")
    values = {"name": "", "auth": "secret", "node": "direct", **dict.fromkeys(SWITCHES, False)}
    values |= {"private_ca": True, **asked}
    if not isinstance(values["name"], str) or not PRODUCT_NAME.fullmatch(values["name"]):
        raise ValueError(f"name {PRODUCT_NAME_RULE}")
    for key, allowed in (("auth", AUTHS), ("node", NODES)):
        if values[key] not in allowed:
            raise ValueError(f"{key} must be one of {', '.join(allowed)}")
    for key in SWITCHES:
        if not isinstance(values[key], bool):
            raise ValueError(f"{key} must be true or false")
    needs = {"dynamic_registration": "secret", "preregistration_free": "secret", "whitelist": "id2"}
    for key, auth in needs.items():
        if values[key] and values["auth"] != auth:
            raise ValueError(f'{key} needs auth = "{auth}", not "{values["auth"]}"')
    return values
