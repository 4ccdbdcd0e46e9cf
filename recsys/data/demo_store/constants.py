"""Every number that shapes the demo store, frozen before any model was fitted to it.

Three kinds of entry, told apart in the comment beside each:

* published: the value lies in a range that others measured; range and source are named.
* measured: the range was measured on a public data set of this project (see `recsys data list`).
* assumption: no usable published range is known; the value is a modelling choice, and no conclusion
  about real shops may rest on it.

`tests/data/demo_store/test_store.py` holds all values: changing one changes the data of every demo run,
so it needs a new reference and a reason in the commit. Never change one so that some model wins.
"""

# --- Size and calendar -------------------------------------------------------------------------------------
SIZES: dict[str, tuple[int, int]] = {"full": (2000, 2000), "small": (200, 200)}  # (users, items); by design
FIRST_DAY = "2023-01-01"  # assumption: one whole calendar year that starts on a Sunday
DAYS = 365  # days

# --- Funnel ------------------------------------------------------------------------------------------------
# Published event counts (product page view or click / cart / purchase):
#   Retailrocket (Kaggle): 2,664,312 / 69,332 / 22,457
#     so carts per click .026, purchases per cart .324, purchases per click .0084
#   OTTO (github.com/otto-de/recsys-dataset, train): 194,720,954 / 16,896,191 / 5,098,951
#     so .087, .302, .026
#   REES46 cosmetics shop (Kaggle): 9,657,821 / 5,768,333 / 1,287,007
#     so .597, .223, .133
#   YooChoose (RecSys Challenge 2015): 33,003,944 clicks, 1,150,753 buys
#     so purchases per click .035
# Most of these count anonymous visitors too; this log holds account holders only, hence the upper half.
CARTS_PER_CLICK = 0.38  # published range .026 to .597 (above)
PURCHASES_PER_CART = 0.32  # published range .223 to .324 (above); so .12 a click, published .0084 to .133
# ESMM (Ma et al. 2018, public set): 84 M impressions, 3.4 M clicks, so .04 in a feed. A search list answers a
# stated wish, so three times that: an assumption.
CLICKS_PER_VIEW = 0.12
# Published: YooChoose has 33,003,944 clicks in 9,249,729 sessions, 3.57 a session. Here 2.5 come from
# browsing and 1.1 searches x 8 results x .12 = 1.06 from result lists; how they share is an assumption.
SEARCHES_PER_SESSION = 1.1
DIRECT_CLICKS_PER_SESSION = 2.5
SESSIONS_PER_USER = 12.5  # sessions a year; assumption (a year of an account at about one visit a month)
MINIMUM_SESSIONS = 2  # assumption: an account without activity would not be in a log
# Gamma heterogeneity of activity. Measured on Online Retail 2009-2010: negative binomial shape .32 for orders
# a customer; Fader, Hardie & Lee 2005 fit .24 (CDNOW). 1.0 is milder, an assumption: fewer one-order
# accounts.
ACTIVITY_SHAPE = 1.0
JOINING_SHARE = 0.25  # share of users who open their account during the year; assumption

# --- Popularity --------------------------------------------------------------------------------------------
# Brynjolfsson, Hu & Smith 2003: sales proportional to rank^-.871 (Amazon books). Measured on Online Retail
# 2009-2010, lines by product, log-log over the first 1,500 ranks: .63 with no shift, .70 with shift 10, .84
# with 50. It holds for browsing demand; result lists favour clicked products and steepen clicks and sales.
POPULARITY_EXPONENT = 0.871
# Mandelbrot's shift; without it the first of 2,000 products would take 7 % of all sales. Measured on Online
# Retail: first product .7 % of lines; here 1.2 %.
POPULARITY_SHIFT = 10.0
# Measured on Online Retail 2009-2010: first sold after one month 28 % of products, two 22 %, three 19 %.
NEW_ITEM_SHARE = 0.25
LAUNCH_WINDOW = (0.04, 0.96)  # part of the year in which new items appear, evenly; assumption

# --- Result lists, position bias, logging policy -----------------------------------------------------------
LIST_LENGTH = 8  # results a list; assumption (one screen)
CANDIDATES = 16  # products that the logging policy may show for one search; assumption
# Joachims, Swaminathan & Schnabel 2017 (WSDM): examination (1/rank)^eta, eta = 1, varied from 0 to 2.
POSITION_BIAS_ETA = 1.0
# The same paper: an examined irrelevant result is clicked with probability .1.
CLICK_NOISE = 0.1
EXPLORATION_SHARE = 0.2  # searches answered in uniformly random order; assumption (real shops spend far less)
# Weights of the production ranker: category understood, attribute word in the title, log clicks. Assumption.
RANKER_WEIGHTS = {"category": 3.0, "attribute": 1.0, "clicks": 0.35}

# --- Words -------------------------------------------------------------------------------------------------
# Zhao & Callan 2010: an average query term is missing from 30 to 40 % of the relevant documents. Furnas et
# al. 1987: two people choose the same word for the same thing less than 20 % of the time.
PARAPHRASE_SHARE = 0.35  # queries whose noun is not the title's noun
PARAPHRASE_UNDERSTOOD = 0.5  # paraphrased nouns whose category the production search knows; assumption
MODIFIER_SHARE = 0.5  # queries with a material, style or use beside the noun; assumption
DESCRIPTION_SYNONYM_SHARE = 0.3  # descriptions that use a synonym of the title's noun; assumption

# --- Preferences (all assumptions: nobody observes them) ---------------------------------------------------
LATENT_SIZES = {"text": 8, "picture": 6, "hidden": 4}  # dimensions
AFFINITY_SHARES = {"text": 0.40, "picture": 0.30, "hidden": 0.30}  # variance shares of taste . latent
PROFILE_SHARE = 0.25  # share of a user's taste variance that age band and household explain
TASTE_CORRELATION = 0.8  # correlation of a user's taste on the first and the last day
COMMON_DRIFT_SHARE = 0.3  # share of the drift that all users have in common (fashion)
PRICE_WEIGHT = 0.4  # utility per standard deviation of log price within a category, at mean sensitivity
PRICE_SENSITIVITY_SIGMA = 0.5  # of log sensitivity between users
QUALITY_WEIGHT = 0.4  # utility per standard deviation of quality
CHOICE_SCALE = 0.8  # weight of utility when a user browses to a product; 1/scale is the Gumbel noise
CATEGORY_SCALE = 0.8  # weight of taste when a user picks a category
STAGE_SCALES = {"click": 0.8, "cart": 0.8, "purchase": 0.6}  # weight of utility in each stage's logit
RELEVANCE_LOGITS = (-4.0, -2.0, -0.7, 0.0)  # click logit by grade 0..3 of a query and a product
SAME_INTENT_SHARE = 0.15  # sessions that go on with the last session's category
COMPLEMENT_SHARE = 0.20  # sessions that turn to the category that goes with the last one (kettle, then mug)
INTENT_CLICK_SHARE = 0.6  # browsing clicks inside the session's category; the rest follow the user's taste

# --- Season ------------------------------------------------------------------------------------------------
# U.S. Census Bureau, CB24-76 (17 May 2024), not adjusted: Q1 2024 268.1 billion dollars, 8.5 % above Q1 2023
# and 17.0 % below Q4 2023, so Q4 2023 / Q1 2023 = 1.31. Measured on Online Retail: 2.0. The lower one is
# used.
FOURTH_TO_FIRST_QUARTER = 1.31
WEEKEND_FACTOR = 1.1  # traffic on Saturday and Sunday; assumption
SEASON_AMPLITUDE = 0.6  # of demand for a seasonal category around its mean, cosine over the year; assumption

# --- Ratings and reviews -----------------------------------------------------------------------------------
# Hu, Zhang & Pavlou 2009: product ratings are J-shaped. Measured on Women's Clothing Reviews (1 to 5):
# .04 .07 .12 .22 .56; Digital Music 2014 (first 6,900 reviews): .02 .02 .07 .21 .67.
# The share of 1 is raised to .08 for the J (1 more often than 2): an assumption.
RATING_SHARES = (0.08, 0.06, 0.09, 0.19, 0.58)
# Resnick & Zeckhauser 2002: about half of eBay's buyers left feedback (52.1 %).
RATING_RATE = 0.5  # share of purchases that are rated
RATING_SELF_SELECTION = 0.5  # logit of rating per standard deviation of |satisfaction|; assumption
REVIEW_RATE = 0.6  # share of ratings with a text; assumption
REVIEW_MISMATCH = 0.08  # reviews whose text was drawn for another rating; assumption
SATISFACTION_WEIGHTS = {"affinity": 0.5, "quality": 0.7, "noise": 0.6}  # assumption

# --- Judgements --------------------------------------------------------------------------------------------
JUDGED_QUERIES = {"full": 300, "small": 60}  # by design
JUDGEMENT_POOL = {"lexical": 15, "category": 6, "group": 5, "random": 8}  # products a query, before merging
