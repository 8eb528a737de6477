"""What else is this place called? A small table of our own: states, countries, cities with their airports."""

from __future__ import annotations

from types import MappingProxyType

_STATES = (
    "al alabama|ak alaska|az arizona|ar arkansas|ca california|co colorado|ct connecticut|de delaware|fl florida|"
    "ga georgia|hi hawaii|id idaho|il illinois|in indiana|ia iowa|ks kansas|ky kentucky|la louisiana|me maine|"
    "md maryland|ma massachusetts|mi michigan|mn minnesota|ms mississippi|mo missouri|mt montana|ne nebraska|"
    "nv nevada|nh new hampshire|nj new jersey|nm new mexico|ny new york|nc north carolina|nd north dakota|oh ohio|"
    "ok oklahoma|or oregon|pa pennsylvania|ri rhode island|sc south carolina|sd south dakota|tn tennessee|tx texas|"
    "ut utah|vt vermont|va virginia|wa washington|wv west virginia|wi wisconsin|wy wyoming|dc washington"
)
_COUNTRIES = (
    "us united states|us america|usa united states|usa america|uk united kingdom|uk britain|gb united kingdom|"
    "de germany|fr france|es spain|it italy|pt portugal|nl netherlands|be belgium|ch switzerland|at austria|pl poland|"
    "se sweden|no norway|dk denmark|fi finland|ie ireland|ca canada|mx mexico|br brazil|ar argentina|jp japan|cn china|"
    "in india|kr korea|au australia|nz new zealand|za south africa|eg egypt|tr turkey|uae united arab emirates"
)
_AIRPORTS = (
    "jfk new york|lga new york|ewr new york|ewr newark|nyc new york|lax los angeles|la los angeles|sfo san francisco|"
    "sf san francisco|ord chicago|mdw chicago|atl atlanta|dfw dallas|den denver|sea seattle|mia miami|bos boston|"
    "iah houston|hou houston|phl philadelphia|phx phoenix|las las vegas|mco orlando|"
    "clt charlotte|msp minneapolis|dtw detroit|iad washington|dca washington|bwi baltimore|san san diego|pdx portland|"
    "slc salt lake city|aus austin|bna nashville|yyz toronto|yvr vancouver|yul montreal|mex mexico city|lhr london|"
    "lgw london|cdg paris|ory paris|ams amsterdam|fra frankfurt|muc munich|ber berlin|mad madrid|bcn barcelona|"
    "fco rome|lis lisbon|zrh zurich|vie vienna|cph copenhagen|osl oslo|arn stockholm|hel helsinki|dub dublin|"
    "ist istanbul|dxb dubai|del delhi|bom mumbai|sin singapore|hkg hong kong|nrt tokyo|hnd tokyo|kix osaka|"
    "icn seoul|pek beijing|pvg shanghai|syd sydney|mel melbourne|gru sao paulo|eze buenos aires|jnb johannesburg"
)


_LANGUAGES = (
    "en english|es spanish|fr french|de german|it italian|pt portuguese|nl dutch|ru russian|zh chinese|ja japanese|"
    "ko korean|ar arabic|hi hindi|tr turkish|pl polish|sv swedish|da danish|fi finnish|el greek|he hebrew|uk ukrainian|"
    "cs czech|hu hungarian|ro romanian|th thai|vi vietnamese|id indonesian"
)
_NICKNAMES = (
    ("philly", "philadelphia"),
    ("chi town", "chicago"),
    ("nola", "new orleans"),
    ("vegas", "las vegas"),
    ("cdmx", "mexico city"),
    ("l a", "los angeles"),
    ("dc", "washington d c"),
    ("dc", "washington dc"),
    ("d c", "washington"),
    ("rio", "rio de janeiro"),
    ("nyc", "new york city"),
    ("bombay", "mumbai"),
)


def _table() -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    coded = [row.split(" ", 1) for row in "|".join((_STATES, _COUNTRIES, _AIRPORTS, _LANGUAGES)).split("|")]
    for code, name in (*coded, *_NICKNAMES):
        names.setdefault(code, []).append(name)
        names.setdefault(name, []).append(code)
    return {name: tuple(others) for name, others in names.items()}


ALIASES = MappingProxyType(_table())
"""Folded name to its other names: a code to places, a place to its codes."""
