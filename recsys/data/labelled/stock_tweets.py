"""Tweets on firms, with their exact time, and the firms' daily prices.

Source: yumoxu/stocknet-dataset (Xu and Cohen 2018, ACL), MIT for the repository, Twitter's terms for the
texts. AAPL, AMZN, BABA, WMT, HD and FB, 2014-01 to 2016-01: a file of JSON lines for each firm and day,
texts cut into lower-case tokens, names and addresses masked. There is no sentiment: what is told of a tweet
is its firm. Floods of retweets on single days are in the data.

The repository has a hundred thousand such files, so the archive is made by hand, in a clone at 330708b5, the
same to the byte: `git archive --format=tar HEAD LICENSE README.md price/raw/{AAPL,AMZN,BABA,FB,HD,WMT}.csv
tweet/preprocessed/{AAPL,AMZN,BABA,FB,HD,WMT} | gzip -9n > stocknet_AAPL_AMZN_BABA_WMT_HD_FB.tar.gz`. Another
firm: the same with its symbol, and an entry of RECSYS_SOURCES of this family without sha256.
"""

import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData, Truncated, UnsafeContent
from recsys.data.families import Family
from recsys.data.files.archives import UNPACKED_LIMIT
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts, file_of
from recsys.data.registry import Source

TWEETS, PRICES = ("tweet", "preprocessed"), ("price", "raw")  # folders of the archive
CREATED = "%a %b %d %H:%M:%S %z %Y"


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "stock_tweets".

    Returns:
        table, by time: text, label (code of the firm), time (UTC, without zone), firm.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    path = _path(source)
    rows = []
    for place, content in _members(path, TWEETS, 4):
        for line in content.decode("utf-8").splitlines():
            try:
                tweet = json.loads(line)
                rows.append((" ".join(tweet["text"]).strip(), tweet["created_at"], place[2]))
            except (ValueError, KeyError, TypeError):
                raise NotData(f"{path}: {'/'.join(place)} holds a line that is no tweet") from None
    if not rows:
        raise NotData(f"{path}: no file below {'/'.join(TWEETS)}; is it the right archive?")
    table = pd.DataFrame(rows, columns=["text", "time", "firm"])
    faults = {"empty text": table["text"] == ""}
    kept = table[~faults["empty text"]].copy()
    kept["time"] = pd.to_datetime(kept["time"], format=CREATED, utc=True).dt.tz_localize(None)
    kept = kept.sort_values("time", kind="stable", ignore_index=True)
    labels = sorted(kept["firm"].unique())
    kept["label"] = kept["firm"].map({firm: code for code, firm in enumerate(labels)}).astype("int64")
    columns = ["text", "label", "time", "firm"]
    return LabelledTexts(source.name, kept[columns], labels, cleaning_counts(len(table), faults))


def load_prices(name: str) -> pd.DataFrame:
    """Daily closing prices of the firms: firm, day, close (adjusted for splits and dividends, dollars), by
    both.

    Raises:
        as `load`.
    """
    source = sources.get(name)
    path = _path(source)
    tables = []
    for place, content in _members(path, PRICES, 3):
        table = pd.read_csv(io.BytesIO(content), parse_dates=["Date"])
        tables.append(table.assign(firm=place[2].removesuffix(".csv")))
    if not tables:
        raise NotData(f"{path}: no file below {'/'.join(PRICES)}; is it the right archive?")
    prices = pd.concat(tables).rename(columns={"Date": "day", "Adj Close": "close"})
    return prices[["firm", "day", "close"]].sort_values(["firm", "day"], ignore_index=True)


def _path(source: Source) -> Path:
    return sources.local_file(source.name, file_of(source, "archive"))


def _members(path: Path, folder: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Name in parts and content of every plain file so deep below a folder; nothing is written to disk."""
    read = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place = tuple(member.name.removeprefix("./").split("/"))
                if not member.isfile() or place[:2] != folder or len(place) != depth:
                    continue
                read += member.size
                if read > UNPACKED_LIMIT:
                    raise UnsafeContent(
                        f"{path}: holds more than {UNPACKED_LIMIT:,} bytes; is it the right file?"
                    )
                yield place, archive.extractfile(member).read()
    except (EOFError, zlib.error):
        raise Truncated(f"{path}: the archive ends early; delete it and fetch it again") from None
    except tarfile.TarError as error:
        raise NotData(f"{path}: no readable tar file ({error}); delete it and fetch it again") from None


FAMILY = Family(load, ("archive",))
