"""Free Spoken Digit Dataset: English digits by few speakers, wav files `<digit>_<speaker>_<index>.wav`.

`group` is the speaker: with a speaker on both sides of a split nearly every method is right, so a split keeps
the speakers of its parts apart.
"""

import re

import pandas as pd

from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.labelled.dataset import file_of
from recsys.data.media.samples import MediaSamples
from recsys.data.media.unpacked import by_stem, unpacked
from recsys.data.registry import Source

NAME = re.compile(r"(\d)_([a-zA-Z]+)_(\d+)")


def load(source: Source) -> MediaSamples:
    """The data set of a registry entry of family "spoken_digits" (role recordings: an archive of wav files).

    Returns:
        table: source_id (the file's name), sound, group (speaker), digit ("0" to "9"), index (of the take).

    Raises:
        RegistryError, DataUnavailable: the archive cannot be had, or has no such file (NotData).
    """
    sounds = by_stem(unpacked(source.name, file_of(source, "recordings")), (".wav",))
    rows = [
        (stem, path, match[2], match[1], int(match[3]))
        for stem, path in sounds.items()
        if (match := NAME.fullmatch(stem))
    ]
    if not rows:
        raise NotData(f"data set {source.name}: no wav file is named <digit>_<speaker>_<index>.wav")
    table = pd.DataFrame(rows, columns=["source_id", "sound", "group", "digit", "index"])
    return MediaSamples(
        source.name, table, ("digit",), cleaning={"rows read": len(sounds), "rows kept": len(rows)}
    )


FAMILY = Family(load, ("recordings",))
