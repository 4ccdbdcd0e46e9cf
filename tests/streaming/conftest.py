"""One Spark session for all tests of the engine: starting the JVM is most of their time."""

import secrets

import pytest

from recsys.streaming.engine import redis_server, spark_session
from recsys.streaming.errors import NoJava
from recsys.streaming.stores.redis_store import PASSWORD


@pytest.fixture(scope="session")
def redis_password():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD, secrets.token_hex(16))
        yield


@pytest.fixture(scope="session")
def spark(redis_password):
    if not spark_session.installed():
        pytest.skip("pyspark is not installed")
    try:
        spark_session.find_java()
    except NoJava as error:
        pytest.skip(str(error))
    with spark_session.spark_session("local[2]") as session:
        yield session


@pytest.fixture
def redis(tmp_path, redis_password):
    if not redis_server.installed():
        pytest.skip("redis-server is not installed")
    pytest.importorskip("redis")
    with redis_server.redis_server(tmp_path / "redis_files") as server:
        yield server
