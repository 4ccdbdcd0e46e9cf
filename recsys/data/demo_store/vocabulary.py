"""The words of the demo store: category tree, synonyms, materials, styles, uses, brands.

No word here names a colour, a pattern or a shape: those are only in the pictures (`appearance.py`), and a
test checks every text of the store against `APPEARANCE_WORDS`.
"""

from typing import NamedTuple

COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink")
PATTERNS = ("plain", "striped", "checked", "dotted", "zigzag")
SHAPES = ("circle", "square", "triangle", "diamond", "star", "hexagon", "heart", "cross")

# What no text of the store may contain, word by word: the values above, their forms and their near synonyms.
APPEARANCE_WORDS = frozenset(
    """
    red reddish crimson scarlet maroon ruby orange amber peach yellow golden gold lemon green olive lime
    emerald teal turquoise cyan aqua blue navy azure indigo purple violet lilac lavender plum pink rose
    magenta fuchsia black white grey gray silver brown beige cream ivory tan coral copper bronze colour color
    coloured colored colours colors colourful colorful hue tint shade plain solid striped stripe stripes
    stripy checked check checks chequered plaid tartan dotted dot dots dotty polka spotted spots zigzag
    zigzags chevron pattern patterned patterns floral circle circular round square squared rectangular
    triangle triangular diamond diamonds star stars hexagon hexagonal heart hearts cross crosses oval shape
    shapes shaped
    """.split()  # noqa: SIM905
)


class Leaf(NamedTuple):
    """A category at the end of the tree: its label, its nouns (the first is the title's), price, season."""

    label: str
    nouns: tuple[str, str, str]
    materials: tuple[str, ...]
    base_price: float  # in the shop's currency
    peak_month: int  # 1..12, the month of highest demand; 0 = no season
    goes_with: str  # label of the category that is often wanted next; "" = the next one of the group


class Group(NamedTuple):
    """Three categories, the department that they belong to, and the uses that they are bought for."""

    department: str
    label: str
    uses: tuple[str, ...]
    leaves: tuple[Leaf, ...]


# label / noun | synonym | synonym / materials / price / peak month / goes with
_TREE = """
Home > Seating > small rooms, families, guests, reading
Sofas / sofa | couch | settee / leather linen rattan cotton / 480 / 0 / Blankets
Armchairs / armchair | lounge chair | easy chair / leather linen rattan oak / 260 / 0 / Floor lamps
Bar stools / bar stool | counter seat | kitchen perch / oak steel leather bamboo / 90 / 0 / Tumblers
Home > Storage > small rooms, families, students, hallways
Bookcases / bookcase | shelving unit | library rack / oak pine steel bamboo / 150 / 9 / Desk lamps
Wardrobes / wardrobe | armoire | clothes cupboard / oak pine steel rattan / 320 / 0 / Drawer chests
Drawer chests / chest of drawers | dresser | tallboy / oak pine bamboo rattan / 210 / 0 /
Home > Lighting > small rooms, reading, guests, hallways
Desk lamps / desk lamp | reading light | bedside light / steel glass ceramic aluminium / 40 / 10 / Desks
Floor lamps / floor lamp | standing light | uplighter / steel oak bamboo aluminium / 85 / 11 / Armchairs
Pendant lights / pendant light | hanging lamp | ceiling fixture / glass ceramic rattan steel / 70 / 11 /
Home > Bedding > winter, summer, guests, families
Duvets / duvet | comforter | quilt / cotton wool bamboo linen / 65 / 12 / Pillows
Pillows / pillow | bolster | head cushion / cotton wool bamboo linen / 25 / 0 / Duvets
Blankets / blanket | sofa throw | bedspread / cotton wool cashmere mohair / 38 / 12 / Teddy bears
Kitchen > Cookware > families, beginners, daily use, gifts
Frying pans / frying pan | skillet | griddle / steel aluminium ceramic iron / 34 / 0 / Saucepans
Saucepans / saucepan | cooking pot | stockpot / steel aluminium ceramic iron / 39 / 0 /
Baking trays / baking tray | oven sheet | cake tin / steel aluminium silicone glass / 16 / 12 / Plates
Kitchen > Appliances > families, students, daily use, gifts
Kettles / kettle | water boiler | tea maker / steel glass aluminium ceramic / 42 / 11 / Mugs
Blenders / blender | smoothie maker | liquidiser / steel glass aluminium / 60 / 6 / Tumblers
Toasters / toaster | bread grill | crumpet warmer / steel aluminium glass / 45 / 0 / Plates
Kitchen > Tableware > families, guests, daily use, gifts
Mugs / mug | tea cup | beaker / ceramic glass steel bamboo / 12 / 12 / Kettles
Plates / plate | dinner dish | serving platter / ceramic glass steel bamboo / 18 / 0 /
Tumblers / tumbler | drinking vessel | water goblet / glass steel bamboo silicone / 14 / 7 / Blenders
Clothing and bags > Outerwear > winter, travel, daily use, hiking
Jackets / jacket | windcheater | blouson / cotton wool leather canvas / 95 / 10 / Scarves
Raincoats / raincoat | mackintosh | waterproof / nylon rubber cotton canvas / 80 / 11 / Boots
Gilets / gilet | body warmer | sleeveless vest / wool leather nylon cotton / 55 / 10 /
Clothing and bags > Knitwear > winter, gifts, daily use, travel
Sweaters / sweater | jumper | pullover / wool cotton cashmere mohair / 58 / 12 / Scarves
Cardigans / cardigan | buttoned knit | knitted top / wool cotton cashmere linen / 62 / 11 /
Scarves / scarf | muffler | neck wrap / wool cotton cashmere mohair / 24 / 12 / Sweaters
Clothing and bags > Footwear > daily use, winter, travel, beginners
Trainers / trainers | sneakers | running shoes / leather canvas rubber nylon / 75 / 4 / Water bottles
Boots / boots | ankle footwear | hiking shoes / leather canvas rubber felt / 110 / 11 / Tents
Slippers / slippers | house shoes | indoor mules / felt wool leather cotton / 26 / 12 / Blankets
Clothing and bags > Bags > travel, daily use, students, gifts
Backpacks / backpack | rucksack | daypack / leather canvas nylon cork / 60 / 8 / Water bottles
Handbags / handbag | purse | clutch / leather canvas cork linen / 85 / 12 /
Suitcases / suitcase | trolley case | travel luggage / leather canvas nylon aluminium / 120 / 7 / Backpacks
Outdoor > Camping > hiking, families, summer, beginners
Tents / tent | camp shelter | bivouac / canvas nylon cotton / 170 / 7 / Sleeping bags
Sleeping bags / sleeping bag | camp bed sack | mummy liner / nylon cotton wool / 70 / 7 / Camping stoves
Camping stoves / camping stove | portable cooker | gas burner / steel aluminium iron / 48 / 7 / Mugs
Outdoor > Garden > small rooms, families, summer, gifts
Watering cans / watering can | sprinkler jug | plant waterer / steel ceramic aluminium iron / 22 / 6 / Plant
pots Plant pots / plant pot | planter | flower tub / ceramic steel rattan cork / 19 / 5 / Watering cans
Garden benches / garden bench | park seat | patio settle / oak iron rattan bamboo / 190 / 5 / Plant pots
Outdoor > Sports > beginners, daily use, travel, summer
Yoga mats / yoga mat | exercise mat | gym floor pad / rubber cork cotton / 32 / 1 / Water bottles
Dumbbells / dumbbell | hand weight | free weight / iron steel rubber / 36 / 1 / Yoga mats
Water bottles / water bottle | sports flask | canteen / steel glass aluminium silicone / 18 / 6 / Trainers
Office and play > Stationery > students, travel, gifts, daily use
Notebooks / notebook | journal | jotter / leather cork linen canvas / 11 / 9 / Pens
Pens / pen | ballpoint | rollerball / steel bamboo aluminium cork / 8 / 9 / Notebooks
Folders / folder | document wallet | file organiser / leather linen felt cork / 10 / 9 /
Office and play > Workplace > small rooms, students, beginners, daily use
Desks / desk | writing table | workstation / oak pine bamboo steel / 230 / 9 / Office chairs
Office chairs / office chair | swivel chair | task seat / leather linen steel nylon / 165 / 9 / Desks
Monitor stands / monitor stand | screen riser | display shelf / oak bamboo steel glass / 35 / 0 / Desk lamps
Office and play > Toys > families, gifts, beginners, travel
Building bricks / building bricks | construction kit | interlocking toy / pine rubber cork / 30 / 12 /
Puzzles / puzzle | jigsaw | brain teaser / pine cork felt / 17 / 12 / Building bricks
Teddy bears / teddy bear | plush toy | stuffed animal / cotton wool mohair felt / 21 / 12 / Blankets
"""


def _leaf(line: str) -> Leaf:
    label, nouns, materials, price, peak, goes_with = (part.strip() for part in line.split("/"))
    first, second, third = (noun.strip() for noun in nouns.split("|"))
    return Leaf(label, (first, second, third), tuple(materials.split()), float(price), int(peak), goes_with)


def _tree(text: str) -> tuple[Group, ...]:
    lines = text.strip().splitlines()
    groups = []
    for head, *leaves in (lines[start : start + 4] for start in range(0, len(lines), 4)):
        department, label, uses = head.split(" > ")
        groups.append(Group(department, label, tuple(uses.split(", ")), tuple(map(_leaf, leaves))))
    return tuple(groups)


TREE = _tree(_TREE)
SMALL_STEP = 4  # the small store keeps every fourth group

# Word of titles -> what a query may say instead. The order gives the codes.
MATERIALS: dict[str, str] = {
    "oak": "hardwood", "leather": "hide", "linen": "flax", "rattan": "wicker", "pine": "softwood",
    "steel": "metal", "bamboo": "cane", "glass": "see-through", "ceramic": "stoneware", "cotton":
    "breathable", "wool": "fleecy", "aluminium": "light alloy", "silicone": "bendable", "canvas": "sailcloth",
    "cashmere": "soft goat hair", "mohair": "fluffy", "rubber": "grippy", "felt": "matted fibre",
    "nylon": "synthetic", "cork": "bark", "iron": "heavy metal",
}  # fmt: skip
STYLES: dict[str, str] = {
    "modern": "contemporary", "classic": "traditional", "rustic": "farmhouse", "compact": "space saving",
    "deluxe": "luxury", "minimal": "uncluttered", "vintage": "retro", "everyday": "casual",
    "premium": "high end", "lightweight": "easy to carry",
}  # fmt: skip
USES: dict[str, str] = {
    "small rooms": "a tiny flat", "families": "a household with kids", "guests": "visitors",
    "reading": "book lovers", "students": "college", "hallways": "an entrance", "beginners": "a newcomer",
    "travel": "trips away", "gifts": "a present", "winter": "cold days", "summer": "hot days",
    "daily use": "every day", "hiking": "long walks",
}  # fmt: skip
PREMIUM_STYLES = {"deluxe": 1.35, "premium": 1.25, "minimal": 1.05, "everyday": 0.85}  # factor on the price

BRANDS = tuple(
    """
    Norvik Almere Tavira Brockley Solenne Kestrel Marbeck Havenly Ostara Pellworm Quillon Ravello Suffield
    Trentham Ulverton Verano Wexcombe Yarrow Zelkova Arden Belmora Calder Dunmore Elvaston Fennick Galloway
    Hartwell Ilmenau Juniper Kolding
    """.split()  # noqa: SIM905
)
