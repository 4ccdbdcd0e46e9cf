"""Registry entries of the sets with pictures, video or sound: where their files come from, on which terms.

Four archives are derived (a part of the photos without editor metadata, posters and grocery photos at 128 px,
a part of the recordings): they have no URL. `recsys data derive NAME` builds three of them from their public
originals; the grocery archive is placed by hand.
"""

from recsys.data.media.entry_files import SITUNES, clip_files, raw
from recsys.data.registry import Source, SourceFile

_ML = ("davidylam/MLDev", "4e68cf38f0ee768c242e4aae1c7acbe4e40c273b", "ml-latest-small/{}")
_RECBOLE = (
    "RUCAIBox/RecBole",
    "7b02be5ec80a88310f2d04a27a82adfcbb5dc211",
    "recbole/dataset_example/ml-100k/{}",
)


def _movielens(name: str, role: str, sha256: str, size: int) -> SourceFile:
    return SourceFile(name, role, f"movielens_multimodal/{name}", (raw(*_ML, name),), sha256, size)


def _atomic(role: str, sha256: str, size: int) -> SourceFile:
    name = f"ml-100k.{role}"
    return SourceFile(name, role, f"movielens_100k_kg/{name}", (raw(*_RECBOLE, name),), sha256, size)


MEDIA = (
    Source(
        name="fashion_products",
        family="fashion",
        title="Fashion product photos 60 x 80, names and attributes (11,104 of 44,446)",
        homepage="https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-small",
        licence="none stated in the repositories; photos are Myntra's: local evaluation only",
        files=(
            SourceFile(
                "styles_attributes.csv",
                "attributes",
                "fashion_products/styles_attributes.csv",
                (
                    raw(
                        "animmala3942/FashionProductRecommendationSystem",
                        "91e8036739fe4f903aaa4a95009a13d4bc7cb542",
                        "styles.csv",
                    ),
                ),
                "b5451284ea74ad2b93cc7bbfbfa8334457661a3cb898fc590a1de80f0a1a18de",
                2_790_724,
            ),
            SourceFile(
                "styles_names.csv",
                "names",
                "fashion_products/styles_names.csv",
                (
                    raw(
                        "aishwaryab27/FashionWebsite",
                        "69ddef448a23ac2938f26abafbaf9eb66dfcf3ad",
                        "styles.csv",
                    ),
                ),
                "77e6da1610c8f6949b3ac38c703957b83036d9c78c1cab0b4e7b1fbcf98105a9",
                1_934_122,
            ),
            SourceFile(
                "images_60x80_id_mod4_0.tar.gz",
                "pictures",
                "fashion_products/images_60x80_id_mod4_0.tar.gz",
                (),
                "ccbd112cafee0e8a58f33536218a27d1fb901bda6cdcfc1824029c54efb3a71e",
                24_127_604,
            ),
        ),
    ),
    Source(
        name="grocery_store",
        family="grocery",
        title="Grocery Store: photos of 81 products at 128 px, iconic pictures, descriptions",
        homepage="https://github.com/marcusklasson/GroceryStoreDataset",
        licence="MIT (Klasson, Zhang & Kjellstroem 2019)",
        files=(
            SourceFile(
                "grocery_store_128.tar",
                "archive",
                "grocery_store/grocery_store_128.tar",
                (),
                "d4d6f7e92a18bee817d4d5462d68925f8b38199605ddde252b818a86264e2cc6",
                38_225_920,
            ),
        ),
    ),
    Source(
        name="movielens_multimodal",
        family="movielens",
        title="MovieLens latest small (1996 to 2018) with tags, posters and numbers of the trailers",
        homepage="https://grouplens.org/datasets/movielens/latest/",
        licence="GroupLens terms: research only; posters are the studios': local evaluation only",
        files=(
            _movielens(
                "ratings.csv",
                "ratings",
                "2f8fd2116cbb4ef7ddbfd8537a4dd1209fffa15092cb28ec4c03a950827068ad",
                2_382_886,
            ),
            _movielens(
                "movies.csv",
                "movies",
                "c47b783f23eb304413307e1bb05335e427737da20ec8d3c0e96335567dd5f3dc",
                484_688,
            ),
            _movielens(
                "tags.csv",
                "tags",
                "68eec00a0820c2faa8863a6df7032f13d5899a4462bce9a97213905297ff3d34",
                114_976,
            ),
            SourceFile(
                "posters_128.tar.gz",
                "posters",
                "movielens_multimodal/posters_128.tar.gz",
                (),
                "c59b1c13fd0329c056e797d4d0ec02970298c95c349392f4bafcf2e7e8d3af82",
                19_960_049,
            ),
            SourceFile(
                "LLVisualFeatures13K_Log.csv",
                "trailers",
                "movielens_multimodal/LLVisualFeatures13K_Log.csv",
                (
                    raw(
                        "chabuuuu/Recommend-system-resource",
                        "0caa946d2817b3df345e56421a7c8cc10805ebaa",
                        "Hybrid/LLVisualFeatures13K_Log.csv",
                    ),
                ),
                "1ba32c6e931d0a688d063485d222b4334eddc01941ab05bb7b12273fd771c321",
                1_787_176,
            ),
        ),
    ),
    Source(
        name="movielens_100k_kg",
        family="atomic_files",
        title="MovieLens 100K as RecBole's atomic files: profiles, times, Freebase triples",
        homepage="https://github.com/RUCAIBox/RecBole",
        licence="MIT (repository); GroupLens terms",
        files=(
            _atomic("inter", "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff", 1_979_230),
            _atomic("user", "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972", 22_697),
            _atomic("item", "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532", 66_632),
            _atomic("kg", "200a0636fa07c218119a42e5bac7aa3e26e3665a6f919c1b22909bd412b14779", 3_515_608),
            _atomic("link", "524dca2c3d62619688ab99b3ec53ea2acb9b64d38eafec3e02bdd0dc6bb7d948", 21_507),
        ),
    ),
    Source(
        name="situnes",
        family="situnes",
        title="SiTunes: songs with audio numbers, ratings with mood, weather and time of day",
        homepage="https://github.com/JiayuLi-997/SiTunes_dataset",
        licence="none stated in the repository; local evaluation only",
        files=SITUNES,
    ),
    Source(
        name="free_spoken_digit",
        family="spoken_digits",
        title="Free Spoken Digit Dataset, recordings 0 to 14: 6 speakers, 10 digits, 8 kHz",
        homepage="https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence="CC BY-SA 4.0",
        files=(
            SourceFile(
                "recordings_0_14.tar.gz",
                "recordings",
                "free_spoken_digit/recordings_0_14.tar.gz",
                (),
                "9c9d1bda8dc11a521849eec31f2d89659c3cbce636e86fc089fc0117bb98dc4f",
                4_628_120,
            ),
        ),
    ),
    Source(
        name="ucf101_15clips",
        family="video_clips",
        title="Fifteen clips of UCF101 (three kinds of action, one recording each)",
        homepage="https://github.com/sonho4ng/Human-Action-Recognition-UCF101",
        licence="none stated (UCF101, research): local evaluation only",
        files=clip_files(),
    ),
)
