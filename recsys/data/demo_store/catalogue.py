"""The products: attributes, price, quality, launch day, popularity and latent vectors."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.demo_store import vocabulary as words
from recsys.data.demo_store.appearance import Appearance, draw_appearance
from recsys.data.demo_store.constants import (
    DAYS,
    FIRST_DAY,
    LATENT_SIZES,
    LAUNCH_WINDOW,
    NEW_ITEM_SHARE,
    POPULARITY_EXPONENT,
    POPULARITY_SHIFT,
    SIZES,
)
from recsys.data.demo_store.seeds import generator

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Catalogue:
    """The products with their hidden attributes. M: products, L: categories (leaves of the tree).

    Attributes:
        groups: the groups of categories in a store of this size.
        leaf: [M] category code, 0..L-1. group: [M] its group's code; categories of a group have
            consecutive codes.
        material, style, use, brand: [M] codes into the lists of `vocabulary`.
        price: [M] in the shop's currency, > 0.
        price_deviation: [M] log price standardised within the category.
        quality: [M] standard normal; only ratings and purchases show it.
        launch: [M] seconds after the first midnight; 0 = on sale from the start.
        popularity: [M] share of demand while on sale, sums to 1 (Zipf-Mandelbrot).
        latent: part -> [M, D_part], rows scaled to mean squared length D_part.
        leaf_latent: [L, D_text], the category's part of the text latent, same scale.
        appearance: colour, pattern and shape, which only the picture shows.
    """

    groups: tuple[words.Group, ...]
    leaf: np.ndarray
    group: np.ndarray
    material: np.ndarray
    style: np.ndarray
    use: np.ndarray
    brand: np.ndarray
    price: np.ndarray
    price_deviation: np.ndarray
    quality: np.ndarray
    launch: np.ndarray
    popularity: np.ndarray
    latent: dict[str, np.ndarray]
    leaf_latent: np.ndarray
    appearance: Appearance

    @property
    def leaves(self) -> list[words.Leaf]:
        """The categories, in the order of their codes."""
        return [leaf for group in self.groups for leaf in group.leaves]

    @property
    def n_items(self) -> int:
        """Number of products, M."""
        return len(self.leaf)

    def complements(self) -> np.ndarray:
        """[L] code of the category that is often wanted after each one."""
        labels = [leaf.label for leaf in self.leaves]
        return np.array(
            [
                labels.index(leaf.goes_with) if leaf.goes_with in labels else 3 * (k // 3) + (k + 1) % 3
                for k, leaf in enumerate(self.leaves)
            ]
        )

    def members(self) -> np.ndarray:
        """[L, widest category] product codes of each category, padded with -1."""
        return _padded(self.leaf, len(self.leaves))

    def group_members(self) -> np.ndarray:
        """[groups, widest group] product codes of each group, padded with -1."""
        return _padded(self.group, len(self.groups))


def _padded(codes: np.ndarray, n_codes: int) -> np.ndarray:
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=n_codes)
    table = np.full((n_codes, counts.max()), -1, dtype=np.int64)
    table[np.arange(counts.max())[None, :] < counts[:, None]] = order
    return table


def standardised(values: np.ndarray) -> np.ndarray:
    """[n] values with mean 0 and standard deviation 1."""
    return (values - values.mean()) / values.std()


def build_catalogue(seed: int, size: str) -> Catalogue:
    """Draws the products of one store.

    Args:
        seed: >= 0.
        size: "full" or "small".
    """
    random = generator(seed, size, "catalogue")
    n_items = SIZES[size][1]
    groups = words.TREE if size == "full" else words.TREE[:: words.SMALL_STEP]
    n_leaves = 3 * len(groups)
    leaf = random.permutation(np.arange(n_items) % n_leaves)
    group = leaf // 3
    material = _one_of([each.materials for g in groups for each in g.leaves], words.MATERIALS, leaf, random)
    style = random.integers(0, len(words.STYLES), n_items)
    use = _one_of([g.uses for g in groups], words.USES, group, random)
    brand = random.integers(0, len(words.BRANDS), n_items)
    brand_quality = random.normal(size=len(words.BRANDS))
    quality = standardised(0.6 * brand_quality[brand] + 0.8 * random.normal(size=n_items))
    price, price_deviation = _prices(random, groups, leaf, style, quality)
    appearance = draw_appearance(seed, size, n_items)
    latent, leaf_latent = _latents(seed, size, leaf, n_leaves, (material, style, brand), appearance)
    return Catalogue(
        groups=groups,
        leaf=leaf,
        group=group,
        material=material,
        style=style,
        use=use,
        brand=brand,
        price=price,
        price_deviation=price_deviation,
        quality=quality,
        launch=_launches(random, n_items),
        popularity=_popularity(random, quality, price_deviation),
        latent=latent,
        leaf_latent=leaf_latent,
        appearance=appearance,
    )


def _one_of(
    options: list[tuple[str, ...]], vocabulary: dict[str, str], kind: np.ndarray, random
) -> np.ndarray:
    """[M] code of a random one of the words that the product's kind offers."""
    width = np.array([len(each) for each in options])
    table = np.zeros((len(options), width.max()), dtype=np.int64)
    for row, each in enumerate(options):
        table[row, : len(each)] = [list(vocabulary).index(word) for word in each]
    return table[kind, (random.random(len(kind)) * width[kind]).astype(np.int64)]


def _prices(random, groups, leaf, style, quality) -> tuple[np.ndarray, np.ndarray]:
    """Prices ending in .99 or .49 and the standardised log price within the category."""
    base = np.array([each.base_price for group in groups for each in group.leaves])[leaf]
    factor = np.array([words.PREMIUM_STYLES.get(name, 1.0) for name in words.STYLES])[style]
    raw = base * factor * np.exp(0.35 * random.normal(size=len(leaf)) + 0.10 * quality)
    step = np.where(raw < 20, 0.5, 1.0)
    price = np.round(np.maximum(np.round(raw / step) * step, 1.0) - 0.01, 2)
    log_price = np.log(price)
    counts = np.bincount(leaf)
    centre = np.bincount(leaf, log_price) / counts
    deviation = log_price - centre[leaf]
    spread = np.sqrt(np.bincount(leaf, deviation**2) / counts)
    return price, deviation / spread[leaf]


def _launches(random, n_items: int) -> np.ndarray:
    """Launch times in seconds; a fixed share of the products is new, evenly over the window."""
    n_new = round(NEW_ITEM_SHARE * n_items)
    start, end = (part * DAYS for part in LAUNCH_WINDOW)
    days = np.floor(start + (end - start) * (np.arange(n_new) + random.random(n_new)) / n_new)
    launch = np.zeros(n_items, dtype=np.int64)
    launch[random.permutation(n_items)[:n_new]] = days.astype(np.int64) * SECONDS_A_DAY
    return launch


def _popularity(random, quality: np.ndarray, price_deviation: np.ndarray) -> np.ndarray:
    """Zipf-Mandelbrot shares; better and cheaper products tend to the front, chance weighs most."""
    appeal = 0.5 * quality - 0.3 * price_deviation + random.normal(size=len(quality))
    rank = np.empty(len(quality), dtype=np.int64)
    rank[np.argsort(-appeal, kind="stable")] = np.arange(1, len(quality) + 1)
    share = (rank + POPULARITY_SHIFT) ** -POPULARITY_EXPONENT
    return share / share.sum()


def _latents(seed, size, leaf, n_leaves, attributes, appearance):
    """Latent vectors: text and picture parts are sums of attribute vectors, the hidden part is free."""
    random = generator(seed, size, "latent")
    width = LATENT_SIZES["text"]
    sizes = (n_leaves, len(words.MATERIALS), len(words.STYLES), len(words.BRANDS))
    tables = [random.normal(size=(n, width)) for n in sizes]
    weights = (0.8, 0.35, 0.35, 0.35)
    text = sum(w * table[code] for w, table, code in zip(weights, tables, (leaf, *attributes), strict=True))
    picture = sum(
        random.normal(size=(n, LATENT_SIZES["picture"]))[code]
        for n, code in zip(
            (len(words.COLOURS), len(words.PATTERNS), len(words.SHAPES)), appearance.codes(), strict=True
        )
    )
    hidden = random.normal(size=(len(leaf), LATENT_SIZES["hidden"]))
    text_scale = np.sqrt(np.mean(text**2))
    parts = {"text": text / text_scale, "picture": picture, "hidden": hidden}
    scaled = {name: part / np.sqrt(np.mean(part**2)) for name, part in parts.items()}
    return scaled, weights[0] * tables[0] / text_scale


def items_table(catalogue: Catalogue, titles: list[str], descriptions: list[str], codes: list[str]):
    """The public table of products: one row a product, row number = item code.

    Columns: item, source_id, title, description, category ("Home > Seating > Sofas"), brand, material, style,
    use, price (shop's currency), launched (datetime64[ns], the store's first day for the old products).
    """
    paths = [f"{g.department} > {g.label} > {leaf.label}" for g in catalogue.groups for leaf in g.leaves]
    return pd.DataFrame(
        {
            "item": np.arange(catalogue.n_items, dtype=np.int64),
            "source_id": codes,
            "title": titles,
            "description": descriptions,
            "category": np.array(paths, dtype=object)[catalogue.leaf],
            "brand": np.array(words.BRANDS, dtype=object)[catalogue.brand],
            "material": np.array(list(words.MATERIALS), dtype=object)[catalogue.material],
            "style": np.array(list(words.STYLES), dtype=object)[catalogue.style],
            "use": np.array(list(words.USES), dtype=object)[catalogue.use],
            "price": catalogue.price,
            "launched": np.datetime64(FIRST_DAY, "ns") + catalogue.launch.astype("timedelta64[s]"),
        }
    )
