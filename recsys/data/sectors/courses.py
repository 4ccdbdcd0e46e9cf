"""Courses with texts and topics, and learners' profiles over the same topics.

Source of the built-in entry: the public project on IBM Skills Network's courses. Its file of "ratings" holds
none: it is one profile a learner, the weights of 14 topics summed over the courses taken. Who took which
course is not published, so no course can be hidden from a learner; a topic can. Learners' numbers and the
index column are not read.
"""

from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.registry import Source
from recsys.data.sectors.tables import SectorTables, read_rows

TOPICS = (
    *("Database", "Python", "CloudComputing", "DataAnalysis", "Containers", "MachineLearning"),
    *("ComputerVision", "DataScience", "BigData", "Chatbot", "R", "BackendDev", "FrontendDev", "Blockchain"),
)


def load(source: Source) -> SectorTables:
    """Tables "courses": course, title, description ("" where there is none), and a column of 0 and 1 a topic;
    "learners": a column ≥ 0 a topic (float64).

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.sectors.tables.load_tables`; NotData also for a weight
            below zero.
    """
    flags = read_rows(source, "topics", {"COURSE_ID": str, "TITLE": str} | dict.fromkeys(TOPICS, int))
    texts = read_rows(source, "descriptions", {"COURSE_ID": str, "DESCRIPTION": str})
    learners = read_rows(source, "profiles", dict.fromkeys(TOPICS, float))
    if (learners < 0).any(axis=None):
        raise NotData(f"data set {source.name}: a learner's weight is below zero")
    described = texts.drop_duplicates("COURSE_ID").set_index("COURSE_ID")["DESCRIPTION"]
    courses = flags.rename(columns={"COURSE_ID": "course", "TITLE": "title"})
    courses.insert(2, "description", courses["course"].map(described).fillna(""))
    faults = {"no title": courses["title"] == "", "the same course again": courses.duplicated("course")}
    kept = courses[~(faults["no title"] | faults["the same course again"])].reset_index(drop=True)
    counts = {reason: int(rows.sum()) for reason, rows in faults.items()}
    return SectorTables(source.name, source.family, {"courses": kept, "learners": learners}, counts)


FAMILY = Family(load, ("topics", "descriptions", "profiles"))
