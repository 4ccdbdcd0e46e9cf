"""Registry entries of search data: graded pairs of query and product."""

from recsys.data.registry import Source, SourceFile

_CROWDFLOWER = (
    "https://raw.githubusercontent.com/thomasjungblut/crowdflower/"
    "17379ccdcadfbf5ac17373613ff5708d9cdee2ff/ValidationFolds"
)
_CHORUS = "https://raw.githubusercontent.com/o19s/chorus/d2035d3bfa630b1fd48ded62835f5ded7b988e0c"


def _file(role: str, path: str, url: str, sha256: str, size: int) -> SourceFile:
    return SourceFile(path.rpartition("/")[2], role, path, (url,), sha256, size)


SEARCH_DATA = (
    Source(
        name="crowdflower_search",
        family="crowdflower_search",
        title="Crowdflower search results relevance, graded query-product pairs",
        homepage="https://www.kaggle.com/c/crowdflower-search-relevance/data",
        licence="Kaggle competition data, none stated in the repository: evaluate, do not redistribute",
        files=(
            _file(
                "fold_1",
                "crowdflower_search/1-test.csv",
                f"{_CROWDFLOWER}/1-test.csv",
                "b2bcb70371d62cf369db48fa699711be293bcb7a86fceefdc7aeb7fa4f18a88c",
                491_060,
            ),
            _file(
                "fold_2",
                "crowdflower_search/2-test.csv",
                f"{_CROWDFLOWER}/2-test.csv",
                "289a691d78fa6d9cc0f8a0dd751e0bf9b6ede6efe333386e1af3b346c56760bd",
                488_836,
            ),
            _file(
                "fold_3",
                "crowdflower_search/3-test.csv",
                f"{_CROWDFLOWER}/3-test.csv",
                "d15217844326dcb7f4c2bc2ecbe8e9d9245f68d83e08679650731602ae635f8f",
                496_264,
            ),
            _file(
                "fold_4",
                "crowdflower_search/4-test.csv",
                f"{_CROWDFLOWER}/4-test.csv",
                "5479b4418a046fa73a217a048c277eff49b68166a3a6fafa946cae68bd5edbcd",
                492_320,
            ),
            _file(
                "fold_5",
                "crowdflower_search/5-test.csv",
                f"{_CROWDFLOWER}/5-test.csv",
                "7edf919167511619452fb9a3cfaa398ae6e0e646abc4594653616421c4b8b128",
                501_071,
            ),
            _file(
                "fold_6",
                "crowdflower_search/6-test.csv",
                f"{_CROWDFLOWER}/6-test.csv",
                "52775618ac08d67555fe09f35f95b3451eed1a8b52ccd42602250c95b8fc2b99",
                483_825,
            ),
            _file(
                "fold_7",
                "crowdflower_search/7-test.csv",
                f"{_CROWDFLOWER}/7-test.csv",
                "7ca9c22b37786512065e09653620640d04cd9d030acb501f766f41d11a938ab8",
                493_296,
            ),
            _file(
                "fold_8",
                "crowdflower_search/8-test.csv",
                f"{_CROWDFLOWER}/8-test.csv",
                "d5cc87dcfaafde23e73475bea4e0436b805fbba12721d6f8cd7fcd7f6ee28452",
                502_666,
            ),
            _file(
                "fold_9",
                "crowdflower_search/9-test.csv",
                f"{_CROWDFLOWER}/9-test.csv",
                "3138be3e0e4a08e04dcafe5e4e6316a29b5a2e66b4d6550c46bdb51e590134a9",
                479_600,
            ),
            _file(
                "fold_10",
                "crowdflower_search/10-test.csv",
                f"{_CROWDFLOWER}/10-test.csv",
                "d046808cbfd808ac166d502f8f0e214d32cc3e2455684d4a3999d8ee4f56839a",
                499_261,
            ),
        ),
    ),
    Source(
        name="chorus_electronics",
        family="chorus_electronics",
        title="Chorus electronics, a catalogue and queries graded by three judges",
        homepage="https://github.com/o19s/chorus",
        licence="Icecat Open Content License (data), Apache-2.0 (repository)",
        files=(
            _file(
                "grades",
                "chorus_electronics/Broad_Query_Set_rated.csv",
                f"{_CHORUS}/katas/Broad_Query_Set_rated.csv",
                "065b79c6c19b9ea8fa2dc2b0b8dae3f40c6389454a1f26aac3d3f8a7d43731b2",
                75_875,
            ),
            _file(
                "judges",
                "chorus_electronics/Broad_Query_Set_individual_ratings.csv",
                f"{_CHORUS}/katas/Broad_Query_Set_individual_ratings.csv",
                "cdaaa60503c87450730ad86b614fcd0026cdd6069ac1b7a5189b1b44ca785e30",
                182_092,
            ),
            _file(
                "catalogue_1",
                "chorus_electronics/1.json.zip",
                f"{_CHORUS}/data-encoder/ecommerce/vectors/data/1.json.zip",
                "15b622a11a6267aa0c450919a84b0fc41d7748db552f4c9c0e04167bbc7c38cb",
                1_558_268,
            ),
            _file(
                "catalogue_2",
                "chorus_electronics/2.json.zip",
                f"{_CHORUS}/data-encoder/ecommerce/vectors/data/2.json.zip",
                "17d95160289440d03ca50af65c1363d9edd1d5e82678ddb874b27aeac1f87c33",
                1_643_302,
            ),
            _file(
                "catalogue_3",
                "chorus_electronics/3.json.zip",
                f"{_CHORUS}/data-encoder/ecommerce/vectors/data/3.json.zip",
                "d4d088908fa648da7e79682872a77771ba42f065b253c4fb0f333e630d94f45a",
                1_662_955,
            ),
            _file(
                "catalogue_4",
                "chorus_electronics/4.json.zip",
                f"{_CHORUS}/data-encoder/ecommerce/vectors/data/4.json.zip",
                "533329e5173eac349ce61512fc86a352d5f6651e31694e03aa6e8428cbeaf3c0",
                1_422_844,
            ),
        ),
    ),
)
