"""Video clips in folders of their classes, as UCF101 has them: `<class>/v_<class>_g<recording>_c<cut>.avi`.

`recording` names the recording that a clip was cut from. The fifteen clips of the built-in entry are five
cuts of one recording per class: they show that decoding and pooling over frames work and say nothing about
accuracy. Grouped by recording every class would be in one part only, so there is no `group`.
"""

import re
from pathlib import Path

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.media.samples import MediaSamples
from recsys.data.media.unpacked import by_stem, unpacked
from recsys.data.registry import Source

NAME = re.compile(r"v_([A-Za-z]+)_g(\d+)_c(\d+)")
SUFFIXES = (".avi", ".mp4", ".mkv", ".webm", ".mov")


def load(source: Source) -> MediaSamples:
    """The data set of a registry entry of family "video_clips" (role archive, or files of role clip).

    Returns:
        table: source_id (the file's name), video, sound (the same file: clips carry their sound), recording,
        action.

    Raises:
        RegistryError, DataUnavailable: a file cannot be had, or no clip has a name of that form (NotData).
    """
    archive = source.role("archive")
    if archive is not None:
        clips = by_stem(unpacked(source.name, archive.name), SUFFIXES)
    else:
        names = [file.name for file in source.files if file.role == "clip"]
        clips = {Path(name).stem: str(sources.local_file(source.name, name)) for name in names}
    rows = [
        (stem, path, path, f"{match[1]} {match[2]}", match[1])
        for stem, path in sorted(clips.items())
        if (match := NAME.fullmatch(stem))
    ]
    if not rows:
        raise NotData(f"data set {source.name}: no clip is named v_<class>_g<recording>_c<cut>")
    table = pd.DataFrame(rows, columns=["source_id", "video", "sound", "recording", "action"])
    return MediaSamples(
        source.name, table, ("action",), cleaning={"rows read": len(clips), "rows kept": len(rows)}
    )


FAMILY = Family(load, ("archive", "clip"))
