"""Which foods belong to which group, and which diet leaves which groups out? A small lexicon of our own."""

from __future__ import annotations

# fmt: off
PORK = frozenset({
    "pork", "bacon", "ham", "prosciutto", "chorizo", "pancetta", "salami", "pepperoni", "lardons", "carnitas",
    "guanciale", "mortadella",
})
MEAT = PORK | {
    "meat", "chicken", "beef", "lamb", "veal", "steak", "duck", "venison", "mutton", "goat", "rabbit", "sausage",
    "sausages", "meatball", "meatballs", "brisket", "bolognese", "ribeye", "sirloin", "pastrami", "poultry", "oxtail",
    "goulash", "cheesesteak", "schnitzel", "foie",
}
SHELLFISH = frozenset({
    "shellfish", "shrimp", "shrimps", "prawn", "prawns", "crab", "lobster", "clam", "clams", "mussels", "oysters",
    "oyster", "scallops", "crayfish",
})
FISH = frozenset({
    "fish", "seafood", "salmon", "tuna", "cod", "trout", "sardines", "anchovy", "anchovies", "halibut", "haddock",
    "mackerel", "sushi", "sashimi", "calamari", "squid", "octopus", "swordfish", "tilapia",
}) | SHELLFISH
DAIRY = frozenset({
    "dairy", "milk", "cheese", "cheesy", "butter", "cream", "yogurt", "yoghurt", "mozzarella", "parmesan", "cheddar",
    "ricotta", "feta", "paneer", "mascarpone", "gorgonzola", "brie", "cheeseburger", "cheesecake",
})
EGGS = frozenset({"egg", "eggs", "omelette", "omelet", "frittata", "meringue"})
NUTS = frozenset({
    "nut", "nuts", "almond", "almonds", "walnut", "walnuts", "cashew", "cashews", "pecan", "pecans", "hazelnut",
    "hazelnuts", "pistachio", "pistachios", "praline", "marzipan", "baklava", "nutella",
})
PEANUTS = frozenset({"peanut", "peanuts", "satay"})
GLUTEN = frozenset({
    "gluten", "wheat", "bread", "pasta", "spaghetti", "lasagne", "lasagna", "penne", "ravioli", "linguine",
    "couscous", "bulgur", "seitan", "baguette", "croissant", "naan", "ciabatta", "focaccia",
})
# fmt: on

DIETS: dict[str, frozenset[str]] = {
    "vegetarian": MEAT | FISH,
    "veggie": MEAT | FISH,
    "vegan": MEAT | FISH | DAIRY | EGGS,
    "pescatarian": MEAT,
    "halal": PORK,
    "kosher": PORK | SHELLFISH,
    "celiac": GLUTEN,
    "coeliac": GLUTEN,
}
"""Diet to the words of what it leaves out."""

GROUPS: dict[str, frozenset[str]] = {
    "meat": MEAT,
    "pork": PORK,
    "fish": FISH,
    "seafood": FISH,
    "shellfish": SHELLFISH,
    "dairy": DAIRY,
    "lactose": DAIRY,
    "milk": DAIRY,
    "eggs": EGGS,
    "egg": EGGS,
    "nuts": NUTS | PEANUTS,
    "nut": NUTS | PEANUTS,
    "peanuts": PEANUTS,
    "peanut": PEANUTS,
    "gluten": GLUTEN,
    "wheat": GLUTEN,
}
"""Group as people name it to the words of what belongs to it; any other word stands for itself."""

_OTHER_FOODS = frozenset(
    {"mushroom", "mushrooms", "onion", "onions", "garlic", "tomatoes", "olives", "cilantro", "alcohol"}
)
FOODS = MEAT | FISH | DAIRY | EGGS | NUTS | PEANUTS | GLUTEN | _OTHER_FOODS
"""Every food we know by name."""

SUBSTITUTES = frozenset(
    {"vegetarian", "vegan", "veggie", "plant", "meatless", "tofu", "seitan", "tempeh", "soy", "soya", "mock", "faux"}
    | {"jackfruit", "beyond", "impossible", "substitute", "cauliflower", "quorn", "alternative", "imitation", "free"}
)
"""Words that make a dish of a forbidden name a permitted one ("vegetarian sausage")."""

PLANT_MILKS_AND_FLOURS = frozenset(
    {"oat", "coconut", "almond", "rice", "corn", "buckwheat", "lentil", "chickpea", "cocoa", "shea", "peanut", "cashew"}
)
"""Words that do the same for milk and flour only ("coconut milk", "rice bread")."""
