"""
What a program that we start knows of us: where programs and temporary files lie, language and zone. Nothing else.

A worker's environment holds Airflow's keys, its connections, and whatever steers the programs of the person who
started it. None of that is for `pg_dump`, restic or a program of somebody's own. What a program needs beyond this
its engine gives it by name.
"""

from __future__ import annotations

import os
import re

_KEPT = re.compile(r"PATH|HOME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR")

_STEERING = re.compile(
    "|".join(
        (
            # what is loaded into a program, and how its memory behaves
            *(
                "_?LD_.*",
                "DYLD_.*",
                "_RLD.*",
                "LIBPATH",
                "SHLIB_PATH",
                "GLIBC_TUNABLES",
                "MALLOC_.*",
            ),
            *(
                "GCONV_PATH",
                "LOCPATH",
                "NLSPATH",
                "HOSTALIASES",
                "RESOLV_.*",
                "RES_OPTIONS",
                "LOCALDOMAIN",
            ),
            *(
                "OPENSSL_.*",
                "KRB5_.*",
                "GSS_.*",
                "NSS_.*",
                "SASL_.*",
                "GTK_.*",
                "GIO_.*",
                "QT_.*",
                "TERMINFO.*",
            ),
            # what a shell reads before its script
            *(
                "ENV",
                "BASH_ENV",
                "BASH_FUNC.*",
                "BASHOPTS",
                "SHELLOPTS",
                "IFS",
                "PS[0-4]",
                "PROMPT_COMMAND",
            ),
            *("CDPATH", "GLOBIGNORE", "ZDOTDIR", "KSH_.*", "FPATH", "SHELL"),
            # what an interpreter loads before its program
            *(
                "PYTHON.*",
                "PERL5.*",
                "PERL_.*",
                "PERLLIB",
                "RUBY.*",
                "GEM_.*",
                "BUNDLE_.*",
                "NODE_.*",
                "NPM_CONFIG_.*",
            ),
            *(
                "_?JAVA_(TOOL_)?OPT(ION)?S",
                "JDK_JAVA_OPTIONS",
                "CLASSPATH",
                "MAVEN_.*",
                "GRADLE_.*",
                "LUA_.*",
                "PHPRC",
                "PHP_INI.*",
                "TCL.*",
                "R_(PROFILE|ENVIRON|LIBS).*",
            ),
            *(
                "DOTNET_.*",
                "CORECLR_.*",
                "COMPLUS_.*",
                "MONO_.*",
                "ERL_.*",
                "GUILE_.*",
                "JULIA_.*",
                "AWKPATH",
            ),
            *("AWKLIBPATH", "GAWK_.*", "EMACS.*"),
            # programs that another one starts
            *(
                "GIT_.*",
                "SSH_ASKPASS.*",
                "EDITOR",
                "VISUAL",
                "PAGER",
                "MANPAGER",
                "LESS.*",
                "BROWSER",
            ),
            *(
                "SVN_.*",
                "HGRCPATH",
                "RSYNC_RSH",
                "RSYNC_CONNECT_PROG",
                "PSQL.*",
                "PGSYSCONFDIR",
                "PGSERVICE.*",
                "TAR_OPTIONS",
            ),
        )
    ),
    re.IGNORECASE,
)


def clean() -> dict[str, str]:
    """Return what every program gets of our environment."""
    return {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}


def is_steering(name: str) -> bool:
    """
    Whether a variable makes a loader, a shell, an interpreter or a tool run what it names.

    >>> [is_steering(name) for name in ("LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "GIT_SSH_COMMAND", "EXPORT_MODE")]
    [True, True, True, True, False]
    """
    return _STEERING.fullmatch(name) is not None
