import numpy as np
import pytest

from recsys.benchmarks.cached_vectors import cached_vectors

EMBED = ("recsys.encoders.embed:embed_texts",)
TEXTS = ["blue boots", "", "帽子"]


@pytest.fixture
def encode():
    def encode(texts):
        encode.calls += 1
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    encode.calls = 0
    return encode


def test_computed_once(bert, encode, tmp_path):
    for _ in range(2):  # another call of cached_vectors is another run
        found = cached_vectors(encode, bert, EMBED, cache=tmp_path)(TEXTS)
        assert np.array_equal(found, encode(TEXTS))
        assert found.dtype == np.float32
    assert encode.calls == 3  # two of them the test's own


def test_other_texts_settings_and_weights_have_vectors_of_their_own(bert, encode, tmp_path):
    cached_vectors(encode, bert, EMBED, cache=tmp_path)(TEXTS)
    cached_vectors(encode, bert, EMBED, cache=tmp_path)(TEXTS[::-1])
    cached_vectors(encode, bert, EMBED, "64 tokens", cache=tmp_path)(TEXTS)
    cached_vectors(encode, "random-gpt", EMBED, cache=tmp_path)(TEXTS)
    assert encode.calls == 4


def test_a_truncated_file_is_computed_again(bert, encode, tmp_path):
    cached_vectors(encode, bert, EMBED, cache=tmp_path)(TEXTS)
    (file,) = tmp_path.rglob("output.pkl")
    file.write_bytes(file.read_bytes()[:20])
    found = cached_vectors(encode, bert, EMBED, cache=tmp_path)(TEXTS)
    assert np.array_equal(found, encode(TEXTS))
    assert encode.calls == 3


def test_vectors_of_other_code_are_not_taken(bert, encode, tmp_path):
    cached_vectors(encode, bert, EMBED, cache=tmp_path)(TEXTS)
    cached_vectors(encode, bert, ("recsys.encoders.pooling:pool",), cache=tmp_path)(TEXTS)
    assert encode.calls == 2
    with pytest.raises(ValueError, match=r"there is no recsys\.encoders\.embed:nothing"):
        cached_vectors(encode, bert, ("recsys.encoders.embed:nothing",), cache=tmp_path)
