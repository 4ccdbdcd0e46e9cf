"""Registry entries of the labelled texts: where their files come from and on which terms."""

from recsys.data.registry import Source, SourceFile

_BANKING = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/57ec275/banking_data"
_CHINESE = (
    "https://raw.githubusercontent.com/SophonPlus/ChineseNlpCorpus/a0b781d/datasets/online_shopping_10_cats"
)
_QUESTIONS = (
    "https://raw.githubusercontent.com/IceFlameWorm/NLP_Datasets/a2203a7361b6386dd8d8b64f5d600aa1ec730d0d"
)
_CLINC = "https://raw.githubusercontent.com/clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data"
_BITEXT = (
    "https://raw.githubusercontent.com/bitext/customer-support-intent-detection-training-dataset/"
    "e970229e6473109417301b5edddb283917a10aac/data"
)
_NEWS = (
    "https://raw.githubusercontent.com/wwwxmu/Dataset-of-financial-news-sentiment-classification/"
    "9e3166942fed246c193ec67996d5294debfd71e3"
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
    Source(
        name="atec",
        family="chinese_question_match",
        title="ATEC, pairs of Chinese customer questions of a payment service, same or not",
        homepage="https://github.com/IceFlameWorm/NLP_Datasets",
        licence="none stated (research use)",
        files=(
            SourceFile(
                "atec_nlp_sim_train.csv",
                "pairs",
                "chinese_question_match/atec_nlp_sim_train.csv",
                (f"{_QUESTIONS}/ATEC/atec_nlp_sim_train.csv",),
                "226195955cf91bcfacec4d74c48d77e246808f65ad2a7d990c0f5194025e363d",
                3_524_664,
            ),
        ),
    ),
    Source(
        name="lcqmc",
        family="chinese_question_match",
        title="LCQMC, test part: pairs of general Chinese questions, same or not",
        homepage="https://github.com/IceFlameWorm/NLP_Datasets",
        licence="none stated (research use)",
        files=(
            SourceFile(
                "lcqmc_test.txt",
                "pairs",
                "chinese_question_match/lcqmc_test.txt",
                (f"{_QUESTIONS}/LCQMC/test.txt",),
                "8969f9c16050f40df9da6f591443a47bc14c17a504a354ee4cc4ab5b9aa303d9",
                776_457,
            ),
        ),
    ),
    Source(
        name="clinc_oos",
        family="clinc_oos",
        title="CLINC150, questions to an assistant with 150 intents and out of scope",
        homepage="https://github.com/clinc/oos-eval",
        licence="CC BY 3.0 (Larson et al. 2019)",
        files=(
            SourceFile(
                "data_full.json",
                "questions",
                "clinc_oos/data_full.json",
                (f"{_CLINC}/data_full.json",),
                "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
                2_495_390,
            ),
        ),
    ),
    Source(
        name="bitext_support",
        family="bitext_support",
        title="Bitext customer service sample, questions to a shop with 27 intents and marked entities",
        homepage="https://github.com/bitext/customer-support-intent-detection-training-dataset",
        licence="CDLA-Sharing-1.0 (Bitext)",
        files=(
            SourceFile(
                "train.csv",
                "train",
                "bitext_support/train.csv",
                (f"{_BITEXT}/train/Bitext_Sample_Customer_Service_Training_Dataset.csv",),
                "4360971d9ed1884ddc3480b66b50bd3a0ee4b0f5726d1baff6025c69fb854f07",
                560_931,
            ),
            SourceFile(
                "dev.csv",
                "validation",
                "bitext_support/dev.csv",
                (f"{_BITEXT}/dev/Bitext_Sample_Customer_Service_Validation_Dataset.csv",),
                "d8bb2011de49a2fd7c12cf0c520e26cc266c8e28501906554a5e22a93e79d177",
                69_552,
            ),
            SourceFile(
                "test.csv",
                "test",
                "bitext_support/test.csv",
                (f"{_BITEXT}/test/Bitext_Sample_Customer_Service_Testing_Dataset.csv",),
                "e5b8984f88ff4e032dec929c93ab15e8165b439056cce665959a386fc14d06d5",
                70_166,
            ),
        ),
    ),
    Source(
        name="company_news",
        family="company_news",
        title="Dated news of Chinese companies, good or bad for them",
        homepage="https://github.com/wwwxmu/Dataset-of-financial-news-sentiment-classification",
        licence="none stated in the repository; local evaluation only",
        files=(
            SourceFile(
                "test_data.csv",
                "news",
                "chinese_financial_news/test_data.csv",
                (f"{_NEWS}/test_data.csv",),
                "a77e28e01573852ab53c6a455e6e5e2b1b6a4b01eeefb9721018f99cc047283a",
                1_270_217,
            ),
            SourceFile(
                "news_seed.xlsx",
                "seed",
                "chinese_financial_news/news_seed.xlsx",
                (f"{_NEWS}/news_seed.xlsx",),
                "3485a679c4272b16a4af59d0223d363520aeb64177aff87afd606413cfc25e0c",
                416_152,
            ),
        ),
    ),
    Source(
        name="stock_tweets",
        family="stock_tweets",
        title="Tweets on six firms with exact times, and daily prices (stocknet)",
        homepage="https://github.com/yumoxu/stocknet-dataset",
        licence="MIT (repository); Twitter's terms for the texts: local evaluation only",
        files=(
            SourceFile(
                "stocknet_AAPL_AMZN_BABA_WMT_HD_FB.tar.gz",
                "archive",
                "stocknet/stocknet_AAPL_AMZN_BABA_WMT_HD_FB.tar.gz",
                (),
                "31b38451ea8f49cb0d6da1d312ef082ebf1f8a21e2154f6d50fa8add3e537f12",
                2_107_200,
            ),
        ),
    ),
)
