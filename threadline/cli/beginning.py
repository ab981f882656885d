"""`threadline new connector`: a project that works from the first minute, to be made into another one."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from threadline.cli.output import plain, print_json
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import installed

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_REST = {
    "README.md": "readme-rest.md",
    "pyproject.toml": "pyproject-rest.toml",
    "threadline.yaml": "threadline-rest.yaml",
    "apis/${name}.yaml": "api.yaml",
    "mappings/rest/${name}/contacts.yaml": "contacts.yaml",
    "mappings/rest/${name}/push/contact.yaml": "push-contact.yaml",
    "${name}_sandbox.py": "sandbox.py",
    "tests/test_${name}.py": "test_rest.py",
}
_PYTHON = {
    "README.md": "readme-python.md",
    "pyproject.toml": "pyproject-python.toml",
    "threadline.yaml": "threadline-python.yaml",
    "threadline_${name}/__init__.py": "package.py",
    "threadline_${name}/connector.py": "connector.py",
    "threadline_${name}/sandbox.py": "sandbox.py",
    "threadline_${name}/mappings/__init__.py": "mappings.py",
    "threadline_${name}/mappings/${name}/contacts.yaml": "contacts.yaml",
    "threadline_${name}/mappings/${name}/push/contact.yaml": "push-contact.yaml",
    "tests/test_${name}.py": "test_python.py",
}
_URL = {"README.md": "readme-url.md"}
"""Files of a project, and the templates that they are made of."""


def new_connector(name: str, folder: Path | None, *, rest: bool, json: bool) -> None:
    """Write a project; ConfigError for a name that cannot be one, and where something is already."""
    words = _words(name, rest=rest)
    target = folder or Path(name if rest else f"threadline-connector-{words['dashed']}")
    made = _made(_REST if rest else _PYTHON, words)
    _write(target, made)
    _tell(target, made, "a connector, its stand-in, mappings and tests", "pytest -m 'not slow'; README.md says how to go on", json=json)


def new_from_urls(name: str, folder: Path | None, urls: Sequence[str], auth: str, *, json: bool) -> None:
    """Write a project for an API that is there, after a look at some of its lists; ConfigError also where one is none."""
    from threadline.cli.described import described

    words = _words(name, rest=True)
    target = folder or Path(name)
    _require_nothing(target)
    made = {**_made(_URL, words), **described(name, urls, auth)}
    _write(target, made)
    _tell(target, made, "what a look at the API showed", f"threadline check, then: threadline pull {name}", json=json)


def _tell(target: Path, made: Mapping[str, str], what: str, then: str, *, json: bool) -> None:
    if json:
        print_json({"folder": str(target), "files": sorted(made)})
        return
    print(plain(f"{target} has {what}:"))
    for path in sorted(made):
        print(f"  {path}")
    print(plain(f"\nnext: cd {target}, then: {then}"))


_WORDS_ONLY = re.compile(r'"""[\s\S]*?"""|"[^"\n]*"|#.*')
"""What a template says to people: texts and comments."""


def _words(name: str, *, rest: bool) -> Mapping[str, str]:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a connector: small letters, digits and single _ between them, such as acme_desk")
    if name in installed():
        raise ConfigError(f"a connector {name!r} is installed already; take another name")
    title = "".join(part.capitalize() for part in name.split("_"))
    code = "".join(_template(file) for file in {*_REST.values(), *_PYTHON.values()} if file.endswith(".py"))
    if re.search(rf"\b{title}\b", _WORDS_ONLY.sub("", code)):
        raise ConfigError(f"a class called {title} would hide another one; take a longer name, such as my_{name}")
    settings = (
        f'{{"api": str(Path(__file__).with_name("apis") / "{name}.yaml"), "base_url": self.url}}' if rest else '{"base_url": self.url}'
    )
    source = "rest" if rest else name
    return {"name": name, "Name": title, "NAME": name.upper(), "dashed": name.replace("_", "-"), "source": source, "settings": settings}


def _template(name: str) -> str:
    return files("threadline.cli").joinpath("templates", f"{name}-tpl").read_text(encoding="utf-8")


def _made(project: Mapping[str, str], words: Mapping[str, str]) -> dict[str, str]:
    return {Template(path).substitute(words): Template(_template(template)).substitute(words) for path, template in project.items()}


def _require_nothing(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target} is there already, and nothing is overwritten: name another folder with --folder")


def _write(target: Path, made: Mapping[str, str]) -> None:
    """Write all of it, or nothing: the folder appears when it is whole."""
    _require_nothing(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".threadline-new-", dir=target.parent) as folder:
            draft = Path(folder) / "draft"
            for name, text in made.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            # Not replaced where another process was faster: a folder with something in it cannot be.
            draft.rename(target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}") from None
