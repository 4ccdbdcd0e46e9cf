"""The next-item models by name, beside the tuned baselines of `recsys.baselines.candidates`.

A model is one file that ends in a `ModelEntry`, and one line here.
"""

from recsys.code.registry import Registry

MODELS = Registry(
    "next-item model",
    {
        "random": "recsys.models.next_item.untrained:RANDOM",
        "popularity": "recsys.models.next_item.untrained:POPULARITY",
        "popularity_window": "recsys.models.next_item.untrained:POPULARITY_WINDOW",  # of 30 days
        "category_popularity": "recsys.models.next_item.untrained:CATEGORY_POPULARITY",  # a hand-written rule
        "zero_shot": "recsys.models.next_item.zero_shot:ENTRY",  # cosine of titles, untuned encoder
        "sasrec_bce": "recsys.models.next_item.sasrec:PUBLISHED_LOSS",
        "sasrec": "recsys.models.next_item.sasrec:WHOLE_CATALOGUE",
        "sequence": "recsys.models.next_item.title_sequence:IDS",  # a low-pass filter beside attention
        "titles": "recsys.models.next_item.title_sequence:TITLES",  # text-only, frozen encoder
        "title_sequence": "recsys.models.next_item.title_sequence:TITLES_AND_IDS",
        "title_cosine": "recsys.models.next_item.title_cosine:ENTRY",  # with the untuned cosine of titles
        # both of them, read in buckets of similar length: sooner trained
        "title_sequence_bucketed": "recsys.models.next_item.bucketed_sequence:SEQUENCE",
        "title_cosine_bucketed": "recsys.models.next_item.bucketed_sequence:COSINE",
        "text": "recsys.models.next_item.text_models:TEXT",  # a tuned encoder, text-only
        "text_ids": "recsys.models.next_item.text_models:TEXT_AND_IDS",
        "text_lora": "recsys.models.next_item.text_models:TEXT_LORA",
        "printed": "recsys.models.articles.printed_classifier:ENTRY",  # the articles' classifier, corrected
    },
)
