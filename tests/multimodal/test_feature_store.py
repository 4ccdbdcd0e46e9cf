import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.multimodal.feature_store import FeatureStore, store_key


def store(folder, width: int = 3) -> FeatureStore:
    return FeatureStore("key", width, folder)


def test_rows_come_back_in_any_order_and_from_another_process_s_view(tmp_path):
    first, second = store(tmp_path), store(tmp_path)
    first.add(["a", "b"], np.arange(6).reshape(2, 3), {"c": "0 bytes"})
    second.add(["d", "a"], np.full((2, 3), 9), {})
    rows = first.rows(["d", "b", "nothing", "c", "a"])
    assert rows.tolist()[2:4] == [FeatureStore.UNKNOWN, FeatureStore.FAULTY]
    assert first.reason("c") == "0 bytes"
    assert first.take(rows[[0, 1, 4]]).tolist() == [[9, 9, 9], [3, 4, 5], [0, 1, 2]]


@pytest.mark.parametrize("cut", [1, 7, 13])
def test_what_a_killed_writer_left_is_as_if_it_were_not_there(tmp_path, cut):
    store(tmp_path).add(["a"], np.ones((1, 3)), {})
    folder = tmp_path / "key"
    with (folder / "vectors.f32").open("ab") as file:
        file.write(b"x" * cut)
    with (folder / "index.jsonl").open("a") as file:
        file.write(json.dumps({"digest": "lost", "row": 5}) + "\n" + '{"digest": "cu')
    again = store(tmp_path)
    assert again.rows(["a", "lost", "cu"]).tolist() == [0, -1, -1]
    again.add(["b"], np.full((1, 3), 2), {})
    fresh = store(tmp_path)
    assert fresh.take(fresh.rows(["b", "a"])).tolist() == [[2, 2, 2], [1, 1, 1]]


@pytest.mark.parametrize("left", [0, 1, 2, None])
def test_lost_vectors_are_never_another_content_s(tmp_path, left):
    """The vectors' file was deleted or cut off and the index stayed, as after a full disk."""
    living = store(tmp_path)
    living.add(["a", "b", "c"], np.arange(9).reshape(3, 3), {"f": "0 bytes"})
    vectors = tmp_path / "key" / "vectors.f32"
    if left is None:
        vectors.unlink()
    else:
        vectors.write_bytes(vectors.read_bytes()[: left * 12 + 5])
    kept = left or 0
    there = [*range(kept), *[FeatureStore.UNKNOWN] * (3 - kept)]
    assert living.rows(["a", "b", "c"]).tolist() == there
    assert store(tmp_path).rows(["a", "b", "c"]).tolist() == there
    store(tmp_path).add(["d", "e", "g", "h"], np.full((4, 3), 7), {})
    for view in (living, store(tmp_path)):
        assert view.rows(["a", "b", "c", "f"]).tolist() == [*there, FeatureStore.FAULTY]
        assert view.take(view.rows(["d", "h"])).tolist() == [[7, 7, 7], [7, 7, 7]]
    living.add(["c"], np.full((1, 3), 5), {})
    last = store(tmp_path)
    assert last.take(last.rows(["c", "e"])).tolist() == [[5, 5, 5], [7, 7, 7]]


@pytest.mark.parametrize(
    "line", ["[]", "3", '{"digest": "a"}', '{"digest": "a", "row": "0"}', '{"digest": ["a"], "row": 0}']
)
def test_a_line_that_names_nothing_is_passed_over(tmp_path, line):
    store(tmp_path).add(["b"], np.ones((1, 3)), {})
    with (tmp_path / "key" / "index.jsonl").open("a") as file:
        file.write(line + "\n")
    assert store(tmp_path).rows(["a", "b"]).tolist() == [FeatureStore.UNKNOWN, 0]


def test_a_key_changes_with_every_part():
    keys = {store_key("code", "weights", {"side": side}) for side in (64, 128)}
    assert len(keys | {store_key("code2", "weights", {"side": 64})}) == 3


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=5), max_size=6))
def test_the_first_vector_of_a_digest_stays(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("store")
    known: dict[str, float] = {}
    for number, digests in enumerate(batches):
        vectors = np.full((len(digests), 3), number, dtype=np.float32)
        store(folder).add(digests, vectors, {})
        for digest in digests:
            known.setdefault(digest, number)
    last = store(folder)
    rows = last.rows(list(known))
    assert last.take(rows)[:, 0].tolist() == list(known.values())
