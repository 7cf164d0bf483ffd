"""Pages from templates. What comes from events is text wherever it stands: the templates escape all of it."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from api.console import words
from api.console.field_words import FIELDS
from api.console.visits import Visit
from domain.identifiers import SHANGHAI

STATIC: Final = Path(__file__).parents[1] / "static"
HEADERS: Final[Mapping[str, str]] = {
    # Neither scripts nor styles in the page itself, nothing of other hosts, no frame around it, no form that goes elsewhere.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}


def _static(name: str) -> str:
    """The address of a file that is carried, another one whenever it changes, so that browsers may keep it."""
    return f"/static/{name}?{_VERSIONS[name]}"


_VERSIONS: Final = {
    file.relative_to(STATIC).as_posix(): sha256(file.read_bytes()).hexdigest()[:12]
    for folder in ("carried", "console")
    for file in (STATIC / folder).glob("*.*s")
}

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["static"] = _static


def _local(instant: str) -> str:
    """An instant by the clock of its readers."""
    return datetime.fromisoformat(instant).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


_TEMPLATES.filters["local"] = _local


def page(
    visit: Visit, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **shown: Any
) -> HTMLResponse:
    """A page in the visitor's language; `say` gives the words of a key, `label` those of a term of the ledger,
    `word` those of a field of an event or a request."""
    language = visit.language
    content = _TEMPLATES.get_template(template).render(
        visit=visit,
        language=language,
        say=lambda key, **values: words.say(key, language, **values),
        label=lambda term: words.label(term, language),
        word=lambda name: words.named(FIELDS, name, language),
        **shown,
    )
    return HTMLResponse(content, status, {**HEADERS, **(headers or {})})
