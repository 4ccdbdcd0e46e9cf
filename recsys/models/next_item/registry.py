"""The next-item models by name, beside the tuned baselines of `recsys.baselines.candidates`.

A model is one file that ends in a `ModelEntry`, and one line here.
"""

from recsys.code.registry import Registry

_HERE = "recsys.models.next_item"

MODELS = Registry(
    "next-item model",
    {
        "random": f"{_HERE}.untrained:RANDOM",
        "popularity": f"{_HERE}.untrained:POPULARITY",
        "popularity_window": f"{_HERE}.untrained:POPULARITY_WINDOW",  # of the last 30 days of training
        "category_popularity": f"{_HERE}.untrained:CATEGORY_POPULARITY",  # a hand-written rule
        "zero_shot": f"{_HERE}.zero_shot:ENTRY",  # titles compared by an untuned encoder
        "sasrec_bce": f"{_HERE}.sasrec:PUBLISHED_LOSS",
        "sasrec": f"{_HERE}.sasrec:WHOLE_CATALOGUE",
        "sequence": f"{_HERE}.title_sequence:IDS",  # a low-pass filter beside attention
        "titles": f"{_HERE}.title_sequence:TITLES",  # the same without ids: text-only, frozen encoder
        "title_sequence": f"{_HERE}.title_sequence:TITLES_AND_IDS",
        "text": f"{_HERE}.text_models:TEXT",  # a tuned encoder, text-only
        "text_ids": f"{_HERE}.text_models:TEXT_AND_IDS",
        "printed": "recsys.models.articles.printed_classifier:ENTRY",  # the articles' classifier, mended
    },
)
