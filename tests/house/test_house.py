"""Does the house keep its own rules?"""

from __future__ import annotations

import ast
import inspect
import re
import runpy
from pathlib import Path

import pytest

import healing_eval
from healing_eval import domain, errors, plugins
from healing_eval.config import Settings, describe
from healing_eval.ports.archive import Archive
from healing_eval.ports.batch_model import BatchModel
from healing_eval.ports.batch_work import BatchWork
from healing_eval.ports.cache import Cache
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.chat_model import ChatModel
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.lease import Lease
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.limiter import Limiter
from healing_eval.ports.spending import Spending
from healing_eval.ports.stream import Stream
from healing_eval.ports.tracer import Tracer

SOURCE = Path(healing_eval.__file__).parent
ROOT = SOURCE.parent.parent
MODULES = sorted(SOURCE.rglob("*.py"))
REFERENCE = ROOT / "docs/reference"
MAX_LINES = 400

PORT_OF_GROUP: dict[str, type] = {
    plugins.EVALUATORS: Evaluator,
    plugins.CHAT_MODEL: ChatModel,
    plugins.BATCH_MODEL: BatchModel,
    plugins.BATCH_WORK: BatchWork,
    plugins.LEDGER: Ledger,
    plugins.CATALOG: Catalog,
    plugins.STREAM: Stream,
    plugins.LEASE: Lease,
    plugins.LIMITER: Limiter,
    plugins.SPENDING: Spending,
    plugins.CACHE: Cache,
    plugins.ARCHIVE: Archive,
    plugins.TRACER: Tracer,
}


def name_of(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_has_at_most_400_lines(module: Path) -> None:
    lines = module.read_text().count("\n")

    assert lines <= MAX_LINES, f"{name_of(module)} has {lines} lines"


@pytest.mark.parametrize("module", [m for m in MODULES if m.name == "__init__.py" and m.parent != SOURCE], ids=name_of)
def test_a_package_file_holds_a_docstring_only(module: Path) -> None:
    body = ast.parse(module.read_text()).body

    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)


def test_the_error_tree_is_drawn_as_it_is() -> None:
    drawn = "\n".join(draw(errors.HealingEvalError))

    assert drawn in (errors.__doc__ or "")


def draw(error: type, indent: str = "", head: str = "") -> list[str]:
    lines = [head + error.__name__]
    children = error.__subclasses__()
    for child in children:
        last = child is children[-1]
        lines += draw(child, indent + ("    " if last else "│   "), indent + ("└── " if last else "├── "))
    return lines


def test_every_setting_is_described() -> None:
    undescribed = [name for name, _, _, description in describe(Settings()) if not description]

    assert undescribed == []


def test_the_reference_pages_say_what_the_code_says() -> None:
    pages = runpy.run_path(str(ROOT / "tools/make_reference.py"))

    assert (REFERENCE / "settings.md").read_text() == pages["settings_page"]()
    assert (REFERENCE / "issue-types.md").read_text() == pages["issue_types_page"]()


def test_every_public_word_of_the_domain_stands_in_the_glossary() -> None:
    glossary = (REFERENCE / "glossary.md").read_text()

    missing = [word for word in domain_words() if f"**{word}**" not in glossary]

    assert missing == []


def domain_words() -> list[str]:
    words: list[str] = []
    for path in sorted(Path(domain.__file__).parent.glob("*.py")):
        words += [
            node.name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
    return words


HOST_CLOCK = re.compile(r"\bdatetime\.(utc)?now\(|\btime\.time(_ns)?\(|\bdate\.today\(|\butc_now\b")
WHO_MAY_READ_IT = {
    "backends/batch_model/over_http.py": "to wait for a date that a server names without telling its own time",
    "backends/batch_work/sqlite.py": "the store is in this process",
    "backends/cache/sqlite.py": "the store is in this process",
    "backends/chat_model/over_http.py": "to wait for a date that a server names without telling its own time",
    "backends/ledger/sqlite.py": "the store is in this process",
    "backends/spending/memory.py": "what is spent is counted in this process",
    "backends/spending/sqlite.py": "what is spent is counted on this host",
    "backends/sql/bulk.py": "the store is in this process",
    "backends/sql/clock.py": "the store is in this process",
    "backends/stream/memory.py": "the stream is in this process",
    "cli/advise/models.py": "to look up today's prices",
    "cli/checks.py": "to show it",
    "cli/delete.py": "an API key is dated by whoever makes or revokes it, and nothing is compared with that",
    "cli/keys.py": "the same",
    "cli/model_checks.py": "to tell how old prices are, which change with the month",
    "gateway/priced.py": "some prices change with the date or the hour, and nothing is compared with it",
}


def test_hosts_whose_clocks_differ_agree_since_nothing_else_reads_them() -> None:
    """What is compared across hosts is by the clock of the store or of the stream, or a duration."""
    readers = {name_of(module) for module in MODULES if HOST_CLOCK.search(module.read_text())}

    assert {name for name in readers if not name.startswith("testing/")} == set(WHO_MAY_READ_IT)


@pytest.mark.parametrize("group", plugins.GROUPS)
def test_every_entry_point_loads_and_conforms_to_its_port(group: str) -> None:
    port = PORT_OF_GROUP[group]
    promised = {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}

    for name in plugins.found(group):
        loaded = plugins.load(group, name)
        for method in promised:
            assert callable(getattr(loaded, method, None)), f"{group} {name!r} lacks {method}()"
            ours = inspect.signature(getattr(loaded, method)).parameters
            theirs = inspect.signature(getattr(port, method)).parameters
            assert set(theirs) - {"self", "cls"} <= set(ours) | {"self", "cls"}, f"{name}.{method}: parameters differ"


def test_every_group_of_plug_ins_has_a_tenant() -> None:
    assert all(plugins.found(group) for group in plugins.GROUPS)


def test_no_file_names_this_machine_or_a_package_index() -> None:
    private = re.compile(r"(?:extra-)?index-url|find-links|/simple/|file://|(?<![\w.])/(?:work|farm|opt|root)/")
    texts = [path for path in ROOT.glob("requirements/*") if path.suffix in {".txt", ".in"}] + [ROOT / "Makefile"]
    texts += [path for path in ROOT.glob("deploy/*") if path.name != ".env"] + [ROOT / "tools/install-release.sh"]

    for path in texts:
        assert private.search(path.read_text()) is None, path.name
