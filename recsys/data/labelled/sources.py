"""Registry entries of the labelled texts: where their files come from and on which terms."""

from recsys.data.registry import Source, SourceFile

_BANKING = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/57ec275/banking_data"
_CHINESE = (
    "https://raw.githubusercontent.com/SophonPlus/ChineseNlpCorpus/a0b781d/datasets/online_shopping_10_cats"
)

LABELLED = (
    Source(
        name="home_depot",
        family="home_depot",
        title="Home Depot product search relevance, graded query-title pairs",
        homepage="https://www.kaggle.com/c/home-depot-product-search-relevance/data",
        licence="Kaggle competition rules: evaluate, do not redistribute; placed by hand",
        files=(
            SourceFile(
                "train.csv.zip",
                "pairs",
                "home_depot/train.csv.zip",
                (),
                "f6699098295f36e20fa76d07884aa453e9005aa97d9d6a6c1ac42c37142da88a",
                2_762_913,
            ),
        ),
    ),
    Source(
        name="banking77",
        family="banking77",
        title="BANKING77, customer questions with 77 intents",
        homepage="https://github.com/PolyAI-LDN/task-specific-datasets",
        licence="CC BY 4.0 (Casanueva et al. 2020, PolyAI)",
        files=(
            SourceFile(
                "train.csv",
                "train",
                "banking77/train.csv",
                (f"{_BANKING}/train.csv",),
                "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
                839_073,
            ),
            SourceFile(
                "test.csv",
                "test",
                "banking77/test.csv",
                (f"{_BANKING}/test.csv",),
                "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
                239_961,
            ),
        ),
    ),
    Source(
        name="womens_clothing",
        family="womens_clothing",
        title="Women's e-commerce clothing reviews, recommended or not",
        homepage="https://www.kaggle.com/datasets/nicapotato/womens-ecommerce-clothing-reviews",
        licence="CC0 (Kaggle page); placed by hand",
        files=(
            SourceFile(
                "Womens_Clothing_E-Commerce_Reviews.csv.zip",
                "reviews",
                "womens_clothing/Womens_Clothing_E-Commerce_Reviews.csv.zip",
                (),
                "a4f0ce0ea78c9ffbda816f6cab9b2b193c2854db0d84a4f0d4126b245359d5d0",
                2_855_147,
            ),
        ),
    ),
    Source(
        name="chinese_reviews",
        family="chinese_reviews",
        title="Chinese shop reviews of ten categories, positive or negative",
        homepage="https://github.com/SophonPlus/ChineseNlpCorpus",
        licence="none stated in the repository; local evaluation only",
        files=(
            SourceFile(
                "online_shopping_10_cats.zip",
                "reviews",
                "chinese_reviews/online_shopping_10_cats.zip",
                (f"{_CHINESE}/online_shopping_10_cats.zip",),
                "6816ded66fde9d0927ecbd370b5e12d0174d1abac35192ec014ac2a0a8d25858",
                4_084_428,
            ),
        ),
    ),
)
