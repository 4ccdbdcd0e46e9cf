"""Tables beyond one shop, from small files by registry entries; what people are is never read."""

import pytest
import yaml

from recsys.data import sources
from recsys.data.errors import NotData, RegistryError
from recsys.data.load import describe
from recsys.data.sectors.courses import TOPICS
from recsys.data.sectors.tables import load_tables


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Function: one data set of small files, by an entry of RECSYS_SOURCES."""
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA", raising=False)

    def register(name: str, family: str, files: dict[str, str], **options) -> str:
        rows = []
        for role, content in files.items():
            path = tmp_path / f"{name}-{role}"
            path.write_text(content, encoding="utf-8")
            rows.append({"name": path.name, "role": role, "path": str(path)})
        entry = {"family": family, "files": rows, **({"options": options} if options else {})}
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({name: entry}))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
        return name

    return register


CLIENTS = (
    "ID,sex,birth_year,branch,A,B,C\nJANE77,F,1955,north,1,1,0\nJOHN42,M,1980,south,1,0,0\nJ3,M,1980,,0,1,1\n"
)
SALES = "shop,day,turnover,free\n1,05-02-2010,10.5,0\n1,12-02-2010,11,1\n2,05-02-2010,3,0\n2,12-02-2010,,1\n"


def test_insurance_reads_the_named_columns_and_no_other(registry):
    data = load_tables(
        registry("mine", "insurance", {"clients": CLIENTS}, products=["A", "B", "C"], context=["branch"])
    )
    assert data["holdings"].to_numpy().tolist() == [[1, 1, 0], [0, 1, 1]]
    assert data["context"]["branch"].tolist() == ["north", ""]
    assert data.cleaning == {"fewer than two products": 1}
    read = "".join(table.to_csv() for table in data.tables.values())
    assert not any(word in read for word in ("JANE77", "sex", "1955", "birth", "1980"))


def test_insurance_shows_no_row_and_needs_zeros_and_ones(registry):
    name = registry("mine", "insurance", {"clients": CLIENTS}, products=["A", "B", "C"], context=["branch"])
    assert "north" not in str(describe(name))
    registry(
        "mine", "insurance", {"clients": CLIENTS.replace(",1,1,0\n", ",2,1,0\n")}, products=["A", "B", "C"]
    )
    with pytest.raises(NotData, match="A must hold 0 and 1"):
        load_tables("mine")


def test_an_entry_without_its_options_is_refused(registry):
    with pytest.raises(RegistryError, match="options lack products"):
        sources.get(registry("mine", "insurance", {"clients": CLIENTS}))
    with pytest.raises(RegistryError, match="have no produkts"):
        sources.get(registry("mine", "insurance", {"clients": CLIENTS}, products=["A"], produkts=["B"]))


def test_weekly_sales_say_how_their_days_are_written(registry):
    options = {
        "series": "shop",
        "date": "day",
        "date_format": "%d-%m-%Y",
        "sales": "turnover",
        "holiday": "free",
    }
    table = load_tables(registry("stores", "weekly_sales", {"sales": SALES}, **options))["sales"]
    assert table["week"].dt.strftime("%m-%d").tolist() == ["02-01", "02-08", "02-01"]  # Mondays, day first
    assert table["holiday"].tolist() == [False, True, False]
    with pytest.raises(NotData, match="a date is not %Y-%m-%d"):
        load_tables(
            registry("stores", "weekly_sales", {"sales": SALES}, **options | {"date_format": "%Y-%m-%d"})
        )
    twice = SALES.replace("12-02-2010,11", "04-02-2010,11")
    with pytest.raises(NotData, match="two rows in one week"):
        load_tables(registry("stores", "weekly_sales", {"sales": twice}, **options))


def test_a_pair_drops_what_training_shows_and_needs_common_users(registry):
    files = {
        "source_train": "0 7\n1 8 1\n",
        "target_train": "0\t1\t1\n0\t1\t1\n1\t2\t1\n",
        "target_test": "0 1\n1 5\n",
    }
    files["source_train"] = "0 7 1\n1 8 1\n"
    data = load_tables(registry("two", "shop_pair", files))
    assert data["target_train"].to_numpy().tolist() == [[0, 1], [1, 2]]
    assert data["target_test"].to_numpy().tolist() == [[1, 5]]
    assert data.cleaning["hidden pairs that training shows"] == 1
    with pytest.raises(NotData, match="share no user"):
        load_tables(registry("two", "shop_pair", files | {"source_train": "5 7 1\n"}))


def test_reviews_have_line_breaks_and_repeats(registry):
    names = "urlDrugName rating effectiveness sideEffects condition"
    names += " benefitsReview sideEffectsReview commentsReview"
    head = "\t" + names.replace(" ", "\t") + "\n"
    row = '7\taspirin\t9\tHigh\tNone\tPain\t"less\nache"\tnone\ttook one\n'
    data = load_tables(registry("pills", "drug_reviews", {"reviews": head + row + row.replace("7", "8", 1)}))
    assert data["reviews"][["condition", "benefits_text"]].to_numpy().tolist() == [["pain", "less ache"]]
    assert data.cleaning["the same review again"] == 1


def test_courses_join_texts_and_leave_learners_without_numbers(registry):
    head = ",".join(TOPICS)
    zeros = ",".join("0" * len(TOPICS))
    files = {
        "topics": f"\ufeffCOURSE_ID,TITLE,{head}\nC1,one,{zeros}\nC2,two,{zeros}\n",
        "descriptions": "COURSE_ID,TITLE,DESCRIPTION\nC1,one,all of it\n",
        "profiles": f"index,user_id,{head}\nUnnamed 0,987654,{zeros}\n",
    }
    data = load_tables(registry("school", "courses", files))
    assert data["courses"]["description"].tolist() == ["all of it", ""]
    assert "987654" not in data["learners"].to_csv()
    negative = files | {"profiles": files["profiles"].replace("987654,0", "987654,-1")}
    with pytest.raises(NotData, match="below zero"):
        load_tables(registry("school", "courses", negative))


def test_another_file_is_named(registry):
    with pytest.raises(NotData, match="column missing: A"):
        load_tables(registry("mine", "insurance", {"clients": "x,y\n1,2\n"}, products=["A"]))
    with pytest.raises(RegistryError, match="did you mean 'mine'"):
        load_tables("min", "insurance")
    with pytest.raises(RegistryError, match="shop_pair data set 'mine'"):
        load_tables("mine", "shop_pair")


def test_real_files_as_counted(real_data):
    real_data(
        "zimnat_insurance/Train.csv", "drug_reviews/drugLibTrain_raw.tsv", "courses/ibm_course_genre.csv"
    )
    insurance = load_tables("zimnat_insurance")
    assert insurance["holdings"].shape == (29132, 21)
    assert sorted(insurance["holdings"].mean(), reverse=True)[:2] == pytest.approx([0.87, 0.74], abs=0.005)
    reviews = load_tables("drug_reviews")
    assert len(reviews["reviews"]) + reviews.cleaning["the same review again"] == 4143
    assert reviews["reviews"]["drug"].nunique() == 541
    courses = load_tables("courses")
    assert [len(courses[name]) for name in ("courses", "learners")] == [307, 33940]


def test_real_shops_and_stores_as_counted(real_data):
    real_data("cross_domain_amazon/sport_phone/train.txt", "walmart_weekly/Walmart_Store_sales.csv")
    sizes = {
        name: [len(load_tables(name)[table]) for table in ("source_train", "target_train", "target_test")]
        for name in ("phones_to_sports", "sports_to_phones")
    }
    assert sizes == {"phones_to_sports": [42446, 50558, 3698], "sports_to_phones": [50558, 42446, 3999]}
    sales = load_tables("walmart_weekly")["sales"]
    assert (sales["series"].nunique(), sales["week"].nunique(), len(sales)) == (45, 143, 6435)
    assert sales[sales["holiday"]]["week"].nunique() == 10
