"""The studies by name; a new one is one function `(StudySettings) -> Study` and one line here."""

from recsys.code.registry import Registry

_HERE = "recsys.search.studies"
STUDIES = Registry(
    "search study",
    {
        "cosine": f"{_HERE}.query_groups:cosine_and_grade",
        "long_queries": f"{_HERE}.query_groups:long_queries",
        "noise": f"{_HERE}.noise_falls:noise_falls",
        "active_learning": f"{_HERE}.active_learning:active_learning",
        "whole_catalogue": f"{_HERE}.whole_catalogue:whole_catalogue",
        "carried_weights": f"{_HERE}.carried_weights:carried_weights",
        "next_feedback": f"{_HERE}.logged_feedback:next_feedback",
        "two_stages": f"{_HERE}.logged_feedback:two_stages",
        "review_sentiment": f"{_HERE}.review_ranking:review_sentiment",
    },
)
