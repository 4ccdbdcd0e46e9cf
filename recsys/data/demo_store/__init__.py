"""The demo store: a seeded generator of one year of an online shop, the embedded default data set.

    from recsys.data.demo_store import load, load_truth, pictures
    store = load(seed=0)                # what models may see: items, users, events, judgements
    images = pictures(store, seed=0)    # uint8 [M, 64, 64, 3]
    truth = load_truth(seed=0)          # to judge models, never to fit them

How a year is generated
-----------------------
* Utility of product i to user u at time t = taste_u(t) . latent_i + price term + quality_i. Taste and
  latent vectors have three parts: text (sums of vectors of category, material, style and brand), picture
  (sums of vectors of colour, pattern and shape, drawn independently of every text) and hidden (the product's
  own; only behaviour reveals it). The price term is the user's sensitivity times the log price, standardised
  within the category.
* Choice: a user picks a category by taste, popularity and season, then a product in it by a logit of utility
  and a product constant; the constants make mean demand follow a Zipf-Mandelbrot law. Noise comes from the
  logit choice, from the draws of each funnel stage, and from clicks at random.
* Sessions: days are drawn by traffic (weekends, fourth quarter). The next session's category is often the
  last one's again or its complement. A session holds browsing clicks and searches.
* Search: the query names the category by the title's noun or by a synonym, with or without a material, style
  or use, in the title's word or in another. The shop's logging policy ranks 16 candidates by category,
  attribute and clicks of the months before; one fifth of the searches get them in uniformly random order; 8
  are shown. Clicks follow the position-based model: an item is clicked when it is examined (probability
  1 / rank) and attractive (by relevance and utility).
* Funnel: click, cart (once a session and product), purchase (once a user and product), rating, review. The
  intercepts are calibrated so that the rates meet `constants.py` within sampling error.
* Drift: tastes move linearly from the first day to the last, in part for all users alike. A quarter of the
  products are launched during the year and have no event before; a quarter of the users join during it.

What models may see, and what they may not
------------------------------------------
Seen: the tables of `load` and the pictures. Colour, pattern and shape are in the pictures only: no title,
description, query, review or column names them. Not seen: tastes, latent vectors, quality, product constants,
examination, attraction and all probabilities except the logging policy's own (`propensity`, the probability
that the policy showed this product at this position; not the probability of being examined).
Region is a distractor: nothing depends on it. `review_time` says when a rating became known.

What the store cannot support
-----------------------------
* Any statement about the size of an effect in a real shop. Every conclusion holds for this model of a shop.
* That pictures, texts or sequences help in general: their shares of the taste's variance are assumptions
  (`AFFINITY_SHARES`, `COMPLEMENT_SHARE`), so it can only show whether a method finds what is there.
* Language understanding: texts and queries come from a few hundred words and some forty phrases; a synonym
  table would solve most paraphrases. Sentiment likewise.
* Photo understanding: pictures are clean emblems on a plain background.
* Click models other than the position-based one: there is no cascade, no trust bias beyond a constant floor,
  no dependence between the results of one list.
* Repeat purchases, returns, stock-outs, price changes, promotions, fraud, anonymous visitors: there are none.
* Fairness between user groups: profile groups differ in taste only, at random.
* Judges' disagreement: judgements are the true grades.

The numbers behind all this, with their sources, are in `constants.py`; they were fixed before any model was
fitted, and a test fails when one is changed.

Reproducible: a seed gives the same tables and pictures, bit for bit, in every process of one machine. Another
CPU type may round `exp` differently in the last digit, which in practice changes only last digits of the
ground truth.
"""

from recsys.data.demo_store.pictures import pictures
from recsys.data.demo_store.store import load, load_truth

__all__ = ["load", "load_truth", "pictures"]
