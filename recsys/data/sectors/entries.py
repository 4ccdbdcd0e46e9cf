"""Registry entries of applications beyond one shop: where their files come from and on which terms."""

from recsys.data.registry import Source, SourceFile

_RAW = "https://raw.githubusercontent.com"
_WALMART = f"{_RAW}/ZarahShibli/Retail-Analysis-with-Walmart-Data/58cd74d5468ce96947f14e5aa9af835d81204ec9"
_DISENCDR = f"{_RAW}/cjx96/DisenCDR/4e6d60bad4d5185c99ab60423b48f87f88aa03a3/dataset"
_ZIMNAT = (
    f"{_RAW}/charanhu/Zimnat_Insurance_Recommendation_Challenge/d462bc944b9ea7a095f1fd49ae19278b0b261379"
)
_DRUGS = f"{_RAW}/nlei1/csvs-for-proj/278fee3513ee3fcd053ef3137ade284314222261"
_COURSES = f"{_RAW}/basil-sami/course-recommender-streamlit-app/efd8d55631e484d1afe4e542b688c816e56edf23"
_AMAZON = "MIT (repository); Amazon review data, for research use"
_SHOPS = {
    "sport_phone/train.txt": ("c55f3f576465795163f45cdb6df9484626dfbb12799393a7d06e4401cfcb6f3a", 612_708),
    "sport_phone/test.txt": ("5ff3bc25da94612e7a35672edba277c4acc497cc8d87d268bca891e64dc98640", 45_250),
    "phone_sport/train.txt": ("d38cd0da5379bbec03a19cc3eb95a8b52caeeb179dfb515ba2d894b1e193572d", 510_647),
    "phone_sport/test.txt": ("1665b2846c5011ca870ff79bcfb3cc632aa3eeaa6ea9853ee45549ac0858b444", 48_067),
}
_PRODUCTS = (
    "P5DA RIBP 8NN1 7POT 66FJ GYSR SOP4 RVSZ PYUQ LJR9 N2MW AHXO BSTQ FM3X K6QO QBOL JWFN JZ9D J9JW GHYX ECY3"
)


def _file(role: str, path: str, url: str, sha256: str, size: int) -> SourceFile:
    return SourceFile(path.rpartition("/")[2], role, path, (url,), sha256, size)


def _shop(role: str, path: str) -> SourceFile:
    """One of DisenCDR's files: equal names in two folders, so the folder becomes part of the name."""
    place, url = f"cross_domain_amazon/{path}", f"{_DISENCDR}/{path}"
    return SourceFile(path.replace("/", "_"), role, place, (url,), *_SHOPS[path])


def _pair(name: str, title: str, source: str, target: str) -> Source:
    return Source(
        name=name,
        family="shop_pair",
        title=title,
        homepage="https://github.com/cjx96/DisenCDR",
        licence=_AMAZON,
        files=(
            _shop("target_train", f"{target}/train.txt"),
            _shop("target_test", f"{target}/test.txt"),
            _shop("source_train", f"{source}/train.txt"),
        ),
    )


SECTOR_DATA = (
    Source(
        name="walmart_weekly",
        family="weekly_sales",
        title="Walmart: weekly sales of 45 stores over 143 weeks, 2010 to 2012",
        homepage="https://www.kaggle.com/datasets/yasserh/walmart-dataset",
        licence="Kaggle data, none stated in the repository: local evaluation",
        files=(
            _file(
                "sales",
                "walmart_weekly/Walmart_Store_sales.csv",
                f"{_WALMART}/Walmart_Store_sales.csv",
                "9cd52db918f0249288b8bdb35dcdaeede5ed7a55f8ed1f8b910a93a550cbf893",
                357_297,
            ),
        ),
        options={
            "series": "Store",
            "date": "Date",
            "date_format": "%d-%m-%Y",
            "sales": "Weekly_Sales",
            "holiday": "Holiday_Flag",
        },
    ),
    _pair("phones_to_sports", "Amazon Phones helps Sports: 4,998 shared users", "phone_sport", "sport_phone"),
    _pair("sports_to_phones", "Amazon Sports helps Phones: 4,998 shared users", "sport_phone", "phone_sport"),
    Source(
        name="zimnat_insurance",
        family="insurance",
        title="Zimnat: 21 insurance products of 29,132 clients",
        homepage="https://zindi.africa/competitions/zimnat-insurance-recommendation-challenge",
        licence="competition data, none stated in the repository: evaluate, do not redistribute",
        files=(
            _file(
                "clients",
                "zimnat_insurance/Train.csv",
                f"{_ZIMNAT}/Train.csv",
                "88925bcf27a5c158524d30f74d218428b0d1d5aba33cb4208a3865a4ddf3a7e6",
                2_424_810,
            ),
        ),
        # what is not named here is never read: client id, sex, marital status, year of birth
        options={"products": _PRODUCTS.split(), "context": ["branch_code", "occupation_category_code"]},
    ),
    Source(
        name="drug_reviews",
        family="drug_reviews",
        title="Druglib.com: 4,143 patient reviews of 541 drugs",
        homepage="https://archive.ics.uci.edu/dataset/461/drug+review+dataset+druglib+com",
        licence="CC BY 4.0 (UCI); its authors ask for research use only and no redistribution",
        files=(
            _file(
                "reviews",
                "drug_reviews/drugLibTrain_raw.tsv",
                f"{_DRUGS}/drugLibTrain_raw.tsv",
                "df00b08ff8a85c77c7184fe7b9923155170e95871230b0b784c67e3cfc205fed",
                3_087_259,
            ),
        ),
    ),
    Source(
        name="courses",
        family="courses",
        title="IBM Skills Network: 307 courses, and topic profiles of 33,940 learners",
        homepage="https://github.com/basil-sami/course-recommender-streamlit-app",
        licence="none stated in the repository: local evaluation",
        files=(
            _file(
                "topics",
                "courses/ibm_course_genre.csv",
                f"{_COURSES}/course_genre.csv",
                "f28691b1a5c2b2a91feb575d198101cabbc7b493370734db3f0e2ee049937b21",
                25_368,
            ),
            _file(
                "descriptions",
                "courses/ibm_course_processed.csv",
                f"{_COURSES}/course_processed.csv",
                "92c054c5abaa1e8b1bcaf26e7e9898ee150e0b51b7515247b391c8134c653aee",
                163_126,
            ),
            _file(
                "profiles",
                "courses/ibm_course_ratings.csv",
                f"{_COURSES}/course_ratings.csv",
                "7cb893248b4765462e9e08cba686a145a909f3e64c114290b20f4e6e5516d16b",
                2_595_250,
            ),
        ),
    ),
)
