"""Keep the demo's API keys where later commands find them: .local/demo/keys.json, for its owner alone.

The product keeps only a hash of a key, and `replay_trace` needs the key itself. A file that is lost is no
harm: the old key is revoked and a new one made.
"""

import json
import os
from pathlib import Path

from apps.access.models import ApiKey, Scope
from apps.access.services.api_keys import create_api_key, find_api_key, revoke_api_key
from apps.core import clock
from apps.tenants.models import Tenant
from config.local import paths

NAME = "Demo"


def keys_file() -> Path:
    return paths.LOCAL / "demo" / "keys.json"


def stored_keys() -> dict[str, str]:
    """The keys by the slug of their tenant. An unreadable file counts as lost."""
    try:
        found = json.loads(keys_file().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return dict(found)


def store_key(*, slug: str, key: str) -> None:
    """Replace the file in one step: a kill leaves the old one or the new one."""
    file = keys_file()
    paths.make_private(file.parent)
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as new:
        json.dump(stored_keys() | {slug: key}, new, indent=2)
        new.write("\n")
    unfinished.replace(file)


def provide_key(*, tenant: Tenant) -> str:
    """The tenant's demo key, made anew when the stored one is lost or not valid here. Inside the tenant's schema."""
    key = stored_keys().get(tenant.slug)
    if key is not None and find_api_key(key=key) is not None:
        return key
    for lost in ApiKey.objects.filter(name=NAME, revoked_at__isnull=True):
        revoke_api_key(api_key=lost, now=clock.real_now())
    scopes = [scope for scope in Scope.values if scope != Scope.TEST_CLOCK]
    new = create_api_key(tenant=tenant, name=NAME, scopes=scopes)
    store_key(slug=tenant.slug, key=new.key)
    return new.key
