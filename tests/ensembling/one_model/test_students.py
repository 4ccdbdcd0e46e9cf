"""A student of a fusion on the demo store: judged beside its teacher, and kept as a member is."""

import pytest

from recsys.code.registry import RegistryError
from recsys.ensembling import study
from recsys.ensembling.budget import Budget
from recsys.ensembling.members import fit_members
from recsys.ensembling.one_model.students import judged_student, learn
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.model_settings import ModelSettings

SETTINGS = ModelSettings(
    trials=1,
    settings={"max_steps": 8},
    options={"width": 16, "max_items": 8, "most_per_user": 3},
    judged_users=50,
    backbone="random-bert",
)


def test_a_student_is_judged_against_its_teacher_and_the_single_model():
    data = load_next_item("demo_store")
    members = fit_members(["popularity", "item_knn"], data, SETTINGS)
    pool, wanted = study.pools([m.kept for m in members]), study.targets(data)
    fused = study.compare(["single", "convex"], pool, wanted, Budget(calls=20, rows=0))
    student = learn("distilled", fused["convex"], pool["validation"], wanted, data, SETTINGS)
    metrics = judged_student(student, fused["convex"], fused["single"], data)
    assert metrics["ndcg@10"] - metrics["ndcg@10_single"] == pytest.approx(metrics["gain"], abs=1e-9)
    assert metrics["gain_share"] == pytest.approx(metrics["gain"] / metrics["ndcg@10_single"])
    taught = metrics["ndcg@10_teacher"] - metrics["ndcg@10_single"]
    assert taught > 0
    assert metrics["gain_kept"] == pytest.approx(metrics["gain"] / taught)
    lost = judged_student(student, fused["single"], fused["convex"], data)
    assert "gain_kept" not in lost, "a teacher that loses has no gain of which a share could be kept"
    assert len(student.test) == len(fused["convex"].test)
    assert set(student.kept.lists) == {"validation", "test"}
    with pytest.raises(RegistryError, match="student of a fusion"):
        learn("copied", fused["convex"], pool["validation"], wanted, data, SETTINGS)
