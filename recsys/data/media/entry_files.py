"""File lists of the entries that consist of many files: SiTunes and the video clips."""

from recsys.data.registry import SourceFile

RAW = "https://raw.githubusercontent.com/{}/{}/{}"
_SITUNES = ("JiayuLi-997/SiTunes_dataset", "aea53feca9ba092406b5b95a3976dba0b44c568f", "SiTunes/{}")
_UCF = (
    "sonho4ng/Human-Action-Recognition-UCF101",
    "6ecfa50e3275ee263d642466f810c9dd93d1987f",
    "data/UCF101/train/{}",
)


def raw(repository: str, commit: str, path: str, name: str = "") -> str:
    """URL of a file of a public repository at one commit; `{}` in the path stands for the name."""
    return RAW.format(repository, commit, path.format(name))


def _situnes(path: str, role: str, sha256: str, size: int) -> SourceFile:
    return SourceFile(path.replace("/", "_"), role, f"situnes/{path}", (raw(*_SITUNES, path),), sha256, size)


SITUNES = (
    _situnes(
        "Stage1/interactions.csv",
        "stage1",
        "032453ab294a4e1b20f32ad652a55b256dc5ac527e3dd5eeb761c4579ee75f74",
        37_621,
    ),
    _situnes(
        "Stage2/interactions.csv",
        "stage2",
        "cc58be9e8ecec613f01e22e9d1ad4f76cac6d152f2b0c4dafb69b306f0b12f87",
        79_974,
    ),
    _situnes(
        "Stage3/interactions.csv",
        "stage3",
        "074c335396510c563d24c22942d0e042534d1d6ad5ce2b352a4b6a22298adfd3",
        48_413,
    ),
    _situnes(
        "Stage2/env.json", "env2", "236611f069f57b62c79e27588a6adb1c05c7400dc4704c3310e0b46d54dcaaa8", 93_658
    ),
    _situnes(
        "Stage3/env.json", "env3", "9a5e7a067014554ee3cea41a1294b0ba099ebbc0a169fea04a051d8b114fa0b2", 52_327
    ),
    _situnes(
        "music_metadata/music_info_withname.csv",
        "songs",
        "88f9d88a2a57777243ecd7f90dfc73bfb22205f3ded206ca9e76693d730470e8",
        203_024,
    ),
)

# Name without "v_" and ".avi", sha256, bytes.
_CLIPS = (
    ("ApplyEyeMakeup_g01_c01", "cc3ebb11e80d2900071ff929633b7476a33ee1698ac9a91206e2ba64c1c28920", 294_566),
    ("ApplyEyeMakeup_g01_c02", "b936b2bba481a3465b8823c71a5ed78c2433f52bea55a1c4a503c6ca9e033b97", 210_340),
    ("ApplyEyeMakeup_g01_c03", "b479100b07bd046bb98fc35a057f7d8e11f1c9f4ea478df3736f0e9a0fa4357e", 417_640),
    ("ApplyEyeMakeup_g01_c04", "f7ffce2870425353f2a199ac98d56e7f8a9baf000d56574773f209f4b6b43a65", 409_574),
    ("ApplyEyeMakeup_g01_c05", "1efd7a05b80441484371883e4c8d7dabb82874174fb52b7d3453d638b91abe0e", 471_652),
    ("BenchPress_g01_c01", "73f5758421bcf14a68dd960ddae680b2b75ae0f2fb97f7b20877c81f5041dc1c", 489_494),
    ("BenchPress_g01_c02", "ba97c904cc5a4df7e37accc42944af6834b6920ff7374ebf3db0a8993d5d1f40", 561_880),
    ("BenchPress_g01_c03", "b037a2bf893927be3ac378d9c61bf9e0e257a135a45924a93c624e832ab95c02", 344_872),
    ("BenchPress_g01_c04", "8b859c1ab831ac88e5759500c3064e4e7f6192914133f3606da42a1c7f3777c7", 349_182),
    ("BenchPress_g01_c05", "1c87cead0ee80081047fe16b02eda22c1d64282d170110f9fc8cfc6b07da61c2", 294_794),
    ("Diving_g01_c01", "e0acf2fd072168acaca9d893b1d75e38886195cd737735544f4d1ad78b2fbfcc", 576_074),
    ("Diving_g01_c02", "7b015d091e79235f4ce4727ba36823e1b1a9464c8107176be157e19ce2c0864e", 622_448),
    ("Diving_g01_c03", "7f1ee2851df8de832b0de12abb35b078ab65a6f62930b9a300764988bae2ed94", 483_744),
    ("Diving_g01_c04", "2006ca186f620df8397257bef075ceb1852276de39962257e4be918119f3b8ca", 514_094),
    ("Diving_g01_c05", "39111ea447f8498241e1d30ced33cfb3b21c7e618b1973beb895bc90b77a8603", 554_834),
)


def clip_files() -> tuple[SourceFile, ...]:
    """One entry a clip; the folder, which is its class, stands first in its name."""
    files = []
    for stem, sha256, size in _CLIPS:
        path = f"{stem.partition('_')[0]}/v_{stem}.avi"
        url = raw(*_UCF, path)
        files.append(SourceFile(f"v_{stem}.avi", "clip", f"ucf101_15clips/{path}", (url,), sha256, size))
    return tuple(files)
