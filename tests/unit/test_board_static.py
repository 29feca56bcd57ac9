"""What browsers load: modules that fit together, without a build step that would say so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "plugin" / "airflow_readiness" / "ui" / "static"
MODULES = sorted(STATIC.glob("*.js"))
_IMPORT = re.compile(r'import (?:\{([^}]*)\} from )?"\./([^"]+)"')
_EXPORT = re.compile(r"export (?:async )?(?:function|const|class) (\w+)")
_EXPORTED = re.compile(r"export const \{([^}]*)\}")


def exports(module: Path) -> set[str]:
    """The names that a module gives."""
    text = module.read_text()
    listed = [name.strip() for group in _EXPORTED.findall(text) for name in group.split(",")]
    return {*_EXPORT.findall(text), *filter(None, listed)}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_imports_what_there_is_and_uses_it(module: Path) -> None:
    text = module.read_text()
    for names, other in _IMPORT.findall(text):
        wanted = {name.strip() for name in names.split(",") if name.strip()}
        assert (STATIC / other).is_file(), other
        assert wanted <= exports(STATIC / other), other
        unused = {name for name in wanted if len(re.findall(rf"(?<![\w$]){name}(?![\w$])", text)) < 2}
        assert not unused


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_keeps_to_the_rules_of_the_house(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= 400
    # text stays text, whatever is in it
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(", text)
    # colours are Airflow's own, so that they follow its theme
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(", text)
    # what Airflow shares as globals is touched in one place, and where it looks for ours
    if module.name not in ("airflow.js", "board.js"):
        assert "globalThis" not in text
        assert not re.search(r"\bwindow\.(React|ChakraUI)", text)


def test_the_names_that_nobody_uses() -> None:
    everything = "\n".join(module.read_text() for module in MODULES)
    for module in MODULES:
        for name in exports(module):
            assert len(re.findall(rf"(?<![\w$]){name}(?![\w$])", everything)) > 1, f"{module.name}: {name}"
