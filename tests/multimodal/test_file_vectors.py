"""Broken files among sound ones, a warm store, faults that are remembered."""

import numpy as np

from recsys.multimodal.file_vectors import FileEncoder, file_vectors
from tests.multimodal.broken_files import hundred_pictures

CALLS: list[int] = []


def mean_colour(arrays: list[np.ndarray]) -> np.ndarray:
    CALLS.append(len(arrays))
    return np.stack([array.mean(axis=(0, 1)) for array in arrays]).astype(np.float32)


def encoder(weights: str = "none") -> FileEncoder:
    return FileEncoder(
        name="mean colour",
        width=3,
        parameters=0,
        decoder="recsys.multimodal.decoding.pictures:decode_picture",
        options={"width": 8, "height": 8},
        load=lambda: mean_colour,
        weights=weights,
        code=("recsys.multimodal.modalities.colours:colour_shares",),
    )


def test_a_hundred_files_each_encoded_or_listed_and_never_decoded_twice(tmp_path):
    (tmp_path / "files").mkdir()
    paths, good = hundred_pictures(tmp_path / "files")
    paths += [None, str(tmp_path / "not there.jpg"), paths[4]]
    good += [False, False, True]
    first = file_vectors("picture", paths, encoder(), folder=tmp_path)
    assert first.present.tolist() == good
    assert sorted(first.faults["row"]) == [row for row, fine in enumerate(good) if not fine and paths[row]]
    assert first.faults["reason"].str.len().min() > 0
    assert (first.vectors[102] == first.vectors[4]).all()
    assert (first.vectors[~first.present] == 0).all()
    made = sum(CALLS)
    second = file_vectors("picture", list(reversed(paths)), encoder(), folder=tmp_path)
    assert sum(CALLS) == made
    assert second.costs["decoded"] == 0
    assert (second.vectors[::-1] == first.vectors).all()
    assert set(second.faults["reason"]) == set(first.faults["reason"])
    third = file_vectors("picture", paths[4:9], encoder("other weights"), folder=tmp_path)
    assert third.costs["encoded"] == 5


def test_a_changed_file_is_encoded_anew(tmp_path):
    from tests.multimodal.broken_files import bytes_of, halves

    path = tmp_path / "a.png"
    path.write_bytes(bytes_of(halves(), "PNG"))
    before = file_vectors("picture", [str(path)], encoder(), folder=tmp_path)
    path.write_bytes(bytes_of(halves().rotate(180), "PNG"))
    after = file_vectors("picture", [str(path)], encoder(), folder=tmp_path)
    assert after.costs["encoded"] == 1
    assert not np.allclose(before.vectors, 0)
