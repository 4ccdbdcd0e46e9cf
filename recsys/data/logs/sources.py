"""Registry entries of the logs of events: where their files come from and on which terms."""

from recsys.data.registry import Source, SourceFile

_S3REC = "https://raw.githubusercontent.com/RUCAIBox/CIKM2020-S3Rec/2a81540/data"
_ICLREC = "https://raw.githubusercontent.com/salesforce/ICLRec/4afb54a036ebbf4166ed5858122d89c0642251a7/data"
_TRANSREC = (
    "https://raw.githubusercontent.com/Linxyhaha/TransRec/da14d539a88bbdec4b1a36259b54068047134c29"
    "/data/beauty/rec_data"
)
_COHORT = "https://raw.githubusercontent.com/viniciusfrantz/cohort_project"
_AMAZON_TERMS = "none stated in the repository; Amazon review data of 2014, for research use"
_RETAIL_TERMS = "CC BY 4.0 (Chen, D., UCI Machine Learning Repository)"


def _transrec(name: str, role: str, sha256: str, size: int) -> SourceFile:
    return SourceFile(name, role, f"s3rec/transrec_beauty/{name}", (f"{_TRANSREC}/{name}",), sha256, size)


LOGS = (
    Source(
        name="beauty",
        family="s3rec",
        title="Amazon Beauty 2014, 5-core, with titles",
        homepage="https://github.com/RUCAIBox/CIKM2020-S3Rec and https://github.com/Linxyhaha/TransRec",
        licence=_AMAZON_TERMS,
        files=(
            SourceFile(
                "Beauty.txt",
                "sequences",
                "s3rec/Beauty.txt",
                (f"{_S3REC}/Beauty.txt", f"{_ICLREC}/Beauty.txt"),
                "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8",
                1_090_094,
            ),
            _transrec(
                "sequential_data.txt",
                "title_sequences",
                "b5c0b32e3f3629fdcd9e6b2c8541c83a408608aeb7ad4eae131bcd694bdb9981",
                1_133_206,
            ),
            _transrec(
                "title_maps.npy",
                "titles",
                "2a20df91bf797e6713b8dc6cbb55bc1cb46bb4d4f27a8dc8bc33260628fbc980",
                1_108_224,
            ),
            _transrec(
                "category_map.npy",
                "categories",
                "0eadf691187a45bc6397fd1040142cfeab0bf96f25fd6f3f1f09f61f72334213",
                940_212,
            ),
        ),
        derived_sha256="d2d3ee44df77093920a7e56b7bb1ea87dd8fec0eefc40859076a7b009a376c9b",
    ),
    Source(
        name="sports",
        family="s3rec",
        title="Amazon Sports and Outdoors 2014, 5-core, without titles",
        homepage="https://github.com/RUCAIBox/CIKM2020-S3Rec",
        licence=_AMAZON_TERMS,
        files=(
            SourceFile(
                "Sports_and_Outdoors.txt",
                "sequences",
                "s3rec/Sports_and_Outdoors.txt",
                (f"{_S3REC}/Sports_and_Outdoors.txt", f"{_ICLREC}/Sports_and_Outdoors.txt"),
                "2a095e0648872beb9982408958290f5d655db5be2911c3756b5446de9f0b8de2",
                1_707_483,
            ),
        ),
    ),
    Source(
        name="online_retail",
        family="online_retail",
        title="UCI Online Retail II, first year (December 2009 to December 2010)",
        homepage="https://archive.ics.uci.edu/dataset/502/online+retail+ii",
        licence=_RETAIL_TERMS,
        files=(
            SourceFile(
                "online_retail_2009_2010.parquet",
                "invoice_lines",
                "online_retail/online_retail_2009_2010.parquet",
                (
                    f"{_COHORT}/d35cfe0/data/online_retail.parquet",
                    f"{_COHORT}/1ab85b6ffbd0bfe457d31f2903a9b68d9a325c0f/data/online_retail.parquet",
                ),
                "e92bcbbce1b7a1041ad79462879d4774bf050c7b8fee9f4eef89f09fb6330664",
                3_669_327,
            ),
        ),
    ),
    Source(
        name="online_retail_2",
        family="online_retail",
        title="UCI Online Retail, second year (December 2010 to December 2011), without stock codes",
        homepage="https://archive.ics.uci.edu/dataset/352/online+retail",
        licence=_RETAIL_TERMS,
        files=(
            # Not pinned: no checksum of this file has been seen. Its commit fixes its content all the same.
            SourceFile(
                "online_retail_2010_2011.parquet",
                "invoice_lines",
                "online_retail/online_retail_2010_2011.parquet",
                (
                    "https://raw.githubusercontent.com/BenJMcCarty/UCI_Dataset_Online_Retail/"
                    "15986919cc97e40bc4bcfd61a63eb837f31d45c5/data/online_retail.parquet",
                ),
            ),
        ),
    ),
    Source(
        name="taobao_userbehavior",
        family="table",
        title="Taobao user behaviour, nine days of 2017: the first 815 users by id",
        homepage="https://tianchi.aliyun.com/dataset/649",
        licence="none stated in the repository; Tianchi: research, non-commercial",
        files=(
            SourceFile(
                "UserBehavior.csv",
                "events",
                "taobao_userbehavior/UserBehavior.csv",
                (
                    "https://raw.githubusercontent.com/Haohanblue/mydeep/"
                    "ef812addc2c164f1d3ef48564a5c393ec293bc61/mydeep/UserBehavior.csv",
                ),
                "9cbce278d485d50954029082dd1b22f0dc78dc38776f58d953f0cbe18d6608b4",
                3_178_496,
            ),
        ),
        # the copy's last line is cut; 35 clocks were wrong; times are UTC, the shop's are UTC+8; a favourite
        # is no kind of event here
        options={
            "events": {
                "columns": {"user": 0, "item": 1, "category": 2, "kind": 3, "time": 4},
                "header": False,
                "last_line": "drop",
                "kinds": {"pv": "click", "cart": "cart", "buy": "purchase", "fav": None},
                "time": {
                    "format": "seconds",
                    "zone": "Asia/Shanghai",
                    "first": "2017-11-25 00:00:00",
                    "last": "2017-12-03 23:59:59",
                },
            }
        },
    ),
)
