"""
Which options of Airflow's configuration may be secret. What is in doubt is: a value that is left out is named, and is
written again by who knows it; one that is kept lies in a repository for years.
"""

from __future__ import annotations

import re

_WORDS = frozenset(
    {
        *("authorization", "bearer", "cert", "certificate", "cmd", "conn", "connection", "connections", "cred"),
        *("creds", "dsn", "headers", "hmac", "key", "keys", "kwargs", "licence", "license", "login", "otp"),
        *("pat", "pin", "private", "psk", "pw", "pwd", "salt", "sas", "seed", "sig", "signature", "webhook"),
    }
)  # fmt: skip
_PARTS = (
    *("apikey", "accesskey", "accountkey", "clave", "credential", "geheim", "kennwort"),
    *("pass", "privatekey", "secret", "senha", "signingkey", "token"),
)
"""Parts of names; in a file Airflow knows no large letters, and so no place where a word ends."""

_SENSITIVE = frozenset(
    {"broker_url", "flower_basic_auth", "result_backend", "sql_alchemy_engine_args"}
)
"""What Airflow itself calls sensitive, and whose name does not say so; a test compares this with Airflow."""

_OF_BACKENDS = "secrets"
"""The section that says where secrets are; its options have names that say whether they are secret themselves."""

_HARMLESS_NAME = re.compile(
    r"(?:.*_)?conn_id|test_connection|connection_test|min_length_masked_secret"
)
_SWITCH = re.compile(r"(?:true|false|yes|no|on|off|none)?", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?")
_OWNER = re.compile(r"//[^\s@]*@|//[^@\n/\"']*@|[^\s:/@,;\"']{1,200}:[^\s@\"']{1,200}@")
"""The user, and perhaps the password, in an address, also in one without a scheme."""

_CARRIER = re.compile(
    r"(?:basic|bearer)\s+\S|-----BEGIN |[?&](?:code|sv)=|//hooks?\.|webhook|\\u[0-9a-f]{4}",
    re.IGNORECASE,
)
"""
What is followed by a secret: a header, a key file, an address that whoever knows it may use. And an escaped
character, behind which a name may hide.
"""

_NAMED_INSIDE = re.compile(r"(?<![A-Za-z0-9_\-])([A-Za-z0-9_\-]+)[\"']?\s*[:=]")
_NAME_ALONE = re.compile(r"[\"']([A-Za-z0-9_\-]+)[\"']")
"""A name in a list of names and values, for example ``["password", "x"]``."""

_LONGEST = 20_000
"""Characters of a value that is looked through."""

_RUN = re.compile(r"[A-Za-z0-9+=_\-]{16,}")
_BASE64 = re.compile(r"^(?:[A-Za-z0-9+/]{20,}|[A-Za-z0-9+/]{6,}=)=?$")


def may_be_secret(option: str, value: str, *, section: str = "") -> bool:
    """
    Whether the value of an option is left out of a set.

    >>> may_be_secret("bob", "hunter2", section="passwords"), may_be_secret("backend", "x.Vault", section="secrets")
    (True, False)

    >>> may_be_secret("parallelism", "32"), may_be_secret("fernet_key", "abc")
    (False, True)
    >>> may_be_secret("result_url", "db+postgresql://airflow:s3cret@db/airflow")
    True
    >>> may_be_secret("dag_bundle_config_list", '[{"name": "x", "kwargs": {"path": "/srv", "git_conn_id": "git"}}]')
    False
    >>> may_be_secret("dag_bundle_config_list", '[{"name": "x", "kwargs": {"access_token": "/srv"}}]')
    True
    >>> may_be_secret("anything", "gAAAAABnX9Yk3qzP1w")
    True
    """
    plain = value.strip()
    if _SWITCH.fullmatch(plain):
        return False
    names = [option] if section.lower() == _OF_BACKENDS else [option, section]
    if option.lower() in _SENSITIVE or any(map(_is_secret_name, names)) or len(plain) > _LONGEST:
        return True  # also of a number: it may be a password
    if _NUMBER.fullmatch(plain):
        return False
    named = {*_NAMED_INSIDE.findall(plain), *_NAME_ALONE.findall(plain)} - {"kwargs"}  # of a bundle
    if _OWNER.search(plain) or _CARRIER.search(plain) or any(map(_is_secret_name, named)):
        return True
    return any(
        _looks_random(run)
        for word in _words_of(plain)
        for run in (*_RUN.findall(word), *_BASE64.findall(word))
    )


def _is_secret_name(name: str) -> bool:
    low = name.lower()
    if _HARMLESS_NAME.fullmatch(low):
        return False
    if low == "auth":  # what it is made of has any name; auth_manager is another matter
        return True
    words = re.split(r"[^a-z0-9]+", low)
    return any(part in low for part in _PARTS) or not _WORDS.isdisjoint(words)


def _words_of(value: str) -> list[str]:
    """Return the words of a value but the paths, whose names may have any form."""
    return [
        word for word in re.split(r"[\s,;\"'\[\]{}()]+", value) if not word.startswith(("/", "~"))
    ]


def _looks_random(run: str) -> bool:
    has = (any(map(str.isdigit, run)), any(map(str.isupper, run)), any(map(str.islower, run)))
    return has[0] and (has[1] or has[2])
