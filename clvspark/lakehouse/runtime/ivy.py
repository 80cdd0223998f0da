"""Download artifacts with Apache Ivy, which pyspark ships, in a Java process of its own.

Without Spark around it Ivy needs two seconds to start, and its default repository is Maven
Central. A company's mirror is an Ivy settings file named in ``CLVSPARK_IVY_SETTINGS``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from clvspark.lakehouse.runtime.cache import SetupError
from clvspark.lakehouse.runtime.java import ensure_java
from clvspark.lakehouse.runtime.pins import Jar
from clvspark.lakehouse.runtime.trust import PASSWORD, system_authorities, write_trust_store

_TIMEOUT_SECONDS = 900
_REASONS_SHOWN = 5

_SETTINGS = """\
<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true"/></resolvers>
</ivysettings>
"""


def download(jars: Sequence[Jar], *, into: Path) -> None:
    """Put the files of `jars` into the folder `into`.

    First with the machine's certificate authorities, then, should that fail, with Java's own: in
    some networks only one of the two lists knows the repository. Raises SetupError with Ivy's
    last words and the possible next steps.
    """
    output = ""
    with tempfile.TemporaryDirectory(prefix="clvspark-ivy-") as name:
        work = Path(name)
        for trust_options in (_system_trust(work), []):
            output = _run(jars, work, into, trust_options)
            if all((into / jar.file_name).is_file() for jar in jars):
                return
    raise SetupError(_explain(output))


def module_descriptor(jars: Sequence[Jar]) -> str:
    """Return the Ivy file that asks for exactly `jars`, without their dependencies."""
    rows = "\n".join(
        f"    <dependency org={quoteattr(jar.organisation)} name={quoteattr(jar.name)} "
        f'rev={quoteattr(jar.version)} transitive="false" conf="default->master"/>'
        for jar in jars
    )
    return (
        '<ivy-module version="2.0">\n'
        '  <info organisation="clvspark" module="jars"/>\n'
        '  <configurations><conf name="default"/></configurations>\n'
        f"  <dependencies>\n{rows}\n  </dependencies>\n"
        "</ivy-module>\n"
    )


def proxy_options(proxies: dict[str, str]) -> list[str]:
    """Translate the environment's proxies (``HTTPS_PROXY``), which Java ignores, to its options."""
    options = []
    for scheme in ("http", "https"):
        address = urlsplit(proxies.get(scheme, ""))
        if address.hostname:
            options.append(f"-D{scheme}.proxyHost={address.hostname}")
            options.append(f"-D{scheme}.proxyPort={address.port or 80}")
    if options and (bypass := proxies.get("no")):
        hosts = "|".join(
            f"*{host}" if host.startswith(".") else host for host in bypass.split(",") if host
        )
        options.append(f"-Dhttp.nonProxyHosts={hosts}")
    return options


def _run(jars: Sequence[Jar], work: Path, into: Path, options: list[str]) -> str:
    request = work / "ivy.xml"
    request.write_text(module_descriptor(jars), encoding="utf-8")
    command = [
        str(ensure_java() / "bin" / "java"),
        *options,
        *proxy_options(urllib.request.getproxies()),
        f"-Duser.home={work}",  # Java takes it from the user database, not from HOME
        *("-cp", str(_ivy_jar()), "org.apache.ivy.Main", "-warn"),
        *("-settings", str(_settings(work)), "-cache", str(work / "cache")),
        *("-ivy", str(request), "-types", "jar", "bundle"),
        *("-retrieve", f"{into}/[artifact]-[revision].[ext]"),
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT_SECONDS} seconds"
    return done.stdout


def _system_trust(work: Path) -> list[str]:
    authorities = system_authorities()
    if not authorities:
        return []
    store = work / "trust.jks"
    write_trust_store(store, authorities)
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
        "-Djavax.net.ssl.trustStoreType=JKS",
    ]


def _settings(work: Path) -> Path:
    if chosen := os.environ.get("CLVSPARK_IVY_SETTINGS"):
        return Path(chosen).expanduser()
    path = work / "ivysettings.xml"
    path.write_text(_SETTINGS, encoding="utf-8")
    return path


def _ivy_jar() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SetupError("the package pyspark is not installed; run: pip install clvspark")
    found = sorted((Path(spec.origin).parent / "jars").glob("ivy-*.jar"))
    if not found:
        raise SetupError(f"{spec.origin}: this pyspark has no jars/ivy-*.jar; install its wheel")
    return found[-1]


def _explain(output: str) -> str:
    lines = list(dict.fromkeys(line.strip(" :\t") for line in output.splitlines()))
    # With no way to the repository every module is "not found"; the way is the news then.
    way = [line for line in lines if re.match(r"Host .* not found|.*Exception", line)]
    modules = [line for line in lines if line.startswith("module not found")]
    reasons = (way or modules or list(filter(None, lines)))[:_REASONS_SHOWN]
    return "\n  ".join(
        [
            "the JARs could not be downloaded:",
            *reasons,
            "Check the network, then run the same command again. Behind a proxy set HTTPS_PROXY;",
            "behind a company mirror set CLVSPARK_IVY_SETTINGS to an Ivy settings file.",
        ]
    )
