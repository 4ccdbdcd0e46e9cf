"""Texts that an encoder of a shop must take."""

QUERIES = ["red shoe", "cordless drill 18v", "帽子", "led bulb", "shower head with hose"]
TITLES = [
    "Waterproof hiking boots for men, size 44, brown leather",
    "18V Lithium-Ion Cordless Drill/Driver Kit (2-Tool) with (2) Batteries and Charger",
    "60W Equivalent Soft White A19 LED Light Bulb (4-Pack)",
    "Chrome hand shower with 2 m hose",
    "毛线帽子 冬季 加厚",
    "Crème hydratante à l'aloès, 200 ml",
    "Women's running shoes, red",
    "hat",
]
AWKWARD = [
    "",
    " ",
    "word " * 511,
    "long text " * 2500,
    "emoji 🔧🪛 mixed текст 文字 العربية",
    "\ud83d half",
    "x" * 3000,
]
