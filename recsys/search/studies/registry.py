"""The studies by name; a new one is a function `(StudySettings) -> Study` and one line here."""

from recsys.code.registry import Registry

STUDIES = Registry(
    "search study",
    {
        "cosine": "recsys.search.studies.query_groups:cosine_and_grade",
        "long_queries": "recsys.search.studies.query_groups:long_queries",
        "noise": "recsys.search.studies.noise_robustness:noise_robustness",
        "active_learning": "recsys.search.studies.active_learning:active_learning",
        "whole_catalogue": "recsys.search.studies.whole_catalogue:whole_catalogue",
        "carried_weights": "recsys.search.studies.carried_weights:carried_weights",
        "next_feedback": "recsys.search.studies.logged_feedback:next_feedback",
        "two_stages": "recsys.search.studies.logged_feedback:two_stages",
        "review_sentiment": "recsys.search.studies.review_ranking:review_sentiment",
        "next_behaviour": "recsys.search.studies.next_behaviour:next_behaviour",
        "purchase_sum": "recsys.search.studies.purchase_sum:purchase_sum",
        "multi_task": "recsys.search.studies.joint_feedback:joint_feedback",
        "grade_regression": "recsys.search.studies.grade_regression:grade_regression",
        "late_interaction": "recsys.search.studies.late_interaction:late_interaction",
        "chinese_questions": "recsys.search.studies.known_items:chinese_questions",
        "known_item_reviews": "recsys.search.studies.known_items:known_item_reviews",
    },
)
