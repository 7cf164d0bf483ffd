"""The command line. Each command is a function here that reads its options and calls the module that does the work.

Errors that people can mend are one sentence on standard error and exit code 2; what nobody foresaw is code 1 and a line
in the home's caseledger.log, without the data that was worked on.
"""

import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
import typer
from psycopg_pool import PoolTimeout

from caseledger.errors import NotRebuilt, NotWitnessed, SettingsError, Unusable
from caseledger.logs import configure_logs, where
from caseledger.postgres import PostgresError
from caseledger.reporting import as_json, as_table, note
from caseledger.settings import HOME, read_settings
from caseledger.webhook_commands import webhooks_app
from caseledger.wiring import open_system
from domain import identifiers
from domain.callers import Role
from domain.identifiers import Malformed
from ledger.keys import SCOPES, KeyInfo, expiry
from ledger.migrations import MigrationError

FAILED: Final = 1
"""What a command checked does not hold; rows were rejected; or something that nobody foresaw."""
WRONG: Final = 2
"""Wrong usage, or a place that cannot be used as it is."""
IMPORTED: Final = ("cloudevents", "gongshi", "jsonl")
"""The formats of an import by name, without their readers, which take as much memory as the ledger's own modules."""

app = typer.Typer(
    name="caseledger",
    help="A ledger of regulatory cases: what is recorded stays, and every answer says what it knows.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="API keys: who may ask the ledger for what.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys_app, name="keys")
app.add_typer(webhooks_app, name="webhooks")

Machine = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


class _Debug:
    on = False


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole trace of an error that nobody foresaw.")
    ] = False,
) -> None:
    _Debug.on = debug


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than 127.0.0.1 are open to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1,
) -> None:
    """Serve the GraphQL API and its console until SIGTERM or Ctrl-C."""
    from caseledger import serving  # the web server's modules take a second to load

    serving.serve(read_settings(), host, port, workers)


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="File of facts, gzip or not; - for standard input.")],
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help=f"{', '.join(IMPORTED)}; by default told from the file."),
    ] = None,
    historical: Annotated[
        bool, typer.Option("--historical", help="Record licences, filings and accesses as facts of the past.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Weigh every fact and record nothing.")] = False,
    correct: Annotated[
        bool, typer.Option("--correct", help="gongshi: void what a row says otherwise, and record it as the row says.")
    ] = False,
    machine: Machine = False,
) -> int:
    """Record facts from a file: JSON Lines, one a line as {"licenceGranted": {...}}, or 双公示 tables (CSV, XLSX); what is in already is not added again."""
    if format_ not in (None, *IMPORTED):
        raise typer.TyperException(f"--format is one of {', '.join(IMPORTED)}; got {format_}")
    from caseledger.import_command import import_file

    whole = import_file(
        read_settings(),
        file,
        format_=format_,
        historical=historical,
        dry_run=dry_run,
        correct=correct,
        machine=machine,
    )
    return 0 if whole else FAILED


@app.command()
def replay(
    decision: Annotated[str | None, typer.Option(metavar="ID", help="One decision only.")] = None,
    rulebook: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Decide under this version instead of each decision's own.")
    ] = None,
    upto: Annotated[int | None, typer.Option(metavar="POSITION", min=0, help="Decisions up to this position.")] = None,
    machine: Machine = False,
) -> int:
    """Decide recorded decisions again from the events alone; exit 1 if one does not come out the same."""
    from caseledger.replay_command import replay_decisions

    return 0 if replay_decisions(read_settings(), decision, rulebook, upto, machine) else FAILED


@app.command()
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Projections; all by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would differ, and change nothing.")] = False,
    machine: Machine = False,
) -> None:
    """Make projections anew from position 1 beside the live ones, say what differs, and swap them in."""
    from caseledger.rebuild_command import rebuild_projections

    rebuild_projections(read_settings(), names or [], dry_run, machine)


@app.command()
def status(machine: Machine = False) -> None:
    """Show the database, the head of the ledger and how far each projection is."""
    from caseledger.status import of_other_versions, status_of

    with open_system(read_settings()) as system:
        found = status_of(system)
    if machine:
        as_json(found)
        return
    print(
        f"database  {found['database']} (PostgreSQL {found['postgresql']})\nhead      {found['head']}\nsealed    {found['sealed']}"
    )
    rows = [(each["name"], each["position"], each["lag"], each["version"]) for each in found["projections"]]
    as_table(("projection", "position", "lag", "version"), rows, of="projections")
    for sentence in of_other_versions(found):
        print(sentence)
    for each in found["stopped"]:
        print(f"{each['projection']} is stopped since {each['why']}; mend the program, then `caseledger rebuild`.")
    if found["parked"]:
        parked = [(each["uscc"], each["position"], each["since"], each["why"]) for each in found["parked"]]
        as_table(("parked", "position", "since", "why"), parked, of="parked enterprises")


@app.command("witness")
def witness_(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the ledger is served: http://HOST:PORT.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="The witness's own key; made if there is none.")],
    log_key: Annotated[
        str | None, typer.Option(metavar="VKEY|FILE", help="The ledger's verifier key, or a file that holds it.")
    ] = None,
    state: Annotated[Path | None, typer.Option(metavar="FILE", help="What was seen last; default KEY.state.")] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Go on, and cosign what the ledger sends to http://HOST:PORT/add-checkpoint; 127.0.0.1:PORT is for this machine alone.",
        ),
    ] = None,
    every: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.1, help="Go on, and look again so often.")
    ] = None,
) -> None:
    """Cosign a ledger's newest checkpoint and print it; exit 1 if it does not continue the one seen before."""
    from caseledger.witness import Witness
    from caseledger.witness_serving import keep_watch

    witness = Witness.opened(url, key, log_key, state)
    if listen is None and every is None:
        _, cosigned = witness.look()
        print(cosigned.encoded.decode(), end="", flush=True)
    else:
        keep_watch(witness, listen, every)


@app.command()
def demo(machine: Machine = False) -> None:
    """Fill an empty ledger with an invented history and print a key for each role."""
    from caseledger.demo import fill

    with open_system(read_settings()) as system:
        filled = fill(system)
    if machine:
        keys = [{"role": role, "for": whom, "key": key} for role, whom, key in filled.keys]
        as_json({"events": filled.events, "enterprises": filled.enterprises, "keys": keys})
        return
    note(f"{filled.events} events of {filled.enterprises} invented enterprises were recorded.")
    as_table(("role", "for", "key"), filled.keys, of="keys")


@app.command()
def verify(
    evidence: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="An evidence folder or file, to be verified without any database."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The ledger's verifier key, or a file of it; by default the folder's."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A checkpoint that was kept: the ledger must still begin with it."),
    ] = None,
    machine: Machine = False,
) -> int:
    """Recompute every leaf and root from the entries; exit 1 with the first position that does not hold."""
    from caseledger import verifying

    if key is not None and evidence is None:
        raise typer.TyperException("--key is for --evidence; a database names the key that its ledger is signed by")
    return 0 if verifying.verify(read_settings(), evidence, key, checkpoint, machine) else FAILED


@app.command()
def export(
    out: Annotated[
        str, typer.Option(metavar="PATH", help="A name that is free; - is standard output, for jsonl and cloudevents.")
    ],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Format: jsonl, cloudevents, ocel-sqlite, ocel-json, parquet, evidence, draw.",
        ),
    ] = "evidence",
    after: Annotated[int, typer.Option(metavar="POSITION", min=0, help="Only the entries after this position.")] = 0,
    upto: Annotated[
        int | None,
        typer.Option(
            metavar="POSITION", min=1, help="Up to this position; evidence, to the last checkpoint not beyond it."
        ),
    ] = None,
    uscc: Annotated[
        str | None,
        typer.Option(
            metavar="USCC", help="With --format evidence: the entries of this enterprise alone, and that they are all."
        ),
    ] = None,
    absence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AREA|TYPE",
            help="With --uscc: instead, that nothing of this area (PENALTY), type or ALL is recorded of it; may be repeated.",
        ),
    ] = None,
    draw: Annotated[str | None, typer.Option(metavar="ID", help="With --format draw: the draw.")] = None,
    machine: Machine = False,
) -> None:
    """Write the entries, whole or not at all: to be read elsewhere, or with what proves them, or one draw."""
    from caseledger import drawing, exporting

    if (draw is not None) != (format_ == "draw"):
        raise typer.TyperException("--format draw and --draw ID are given together")
    if draw is not None:
        drawing.export_draw(read_settings(), draw, Path(out), machine)
        return
    if format_ not in exporting.FORMATS:
        raise typer.TyperException(f"--format is one of {', '.join((*exporting.FORMATS, 'draw'))}; got {format_}")
    if uscc is not None and format_ != "evidence":
        raise typer.TyperException(f"--uscc is for --format evidence; got {format_}")
    if absence and (uscc is None or after):
        raise typer.TyperException("--absence is for one enterprise, --uscc USCC, and from the first entry on")
    format_of = exporting.FORMATS[format_]
    if uscc is not None:
        format_of = exporting.of_enterprise(identifiers.uscc(uscc), absence or ())
    exporting.export(read_settings(), format_, format_of, out, after, upto, machine)


@app.command("verify-draw")
def verify_draw(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `export --format draw`.")],
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The ledger's verifier key, or a file of it; by default the file's."),
    ] = None,
    machine: Machine = False,
) -> int:
    """Make a draw again from its evidence, without any database; exit 1 with the first line that does not hold."""
    from caseledger import drawing

    return 0 if drawing.verify_draw(file, key, machine) else FAILED


@app.command("check-credential")
def check_credential(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A decision's credential; - for standard input.")],
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JWKS|URL",
            help="The issuer's public keys: a file, or where they are published (/.well-known/jwks.json); may be repeated.",
        ),
    ] = None,
    log_key: Annotated[
        str | None,
        typer.Option(
            metavar="VKEY|FILE", help="The ledger's verifier key: then the receipt's checkpoint is verified too."
        ),
    ] = None,
    online: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Ask the ledger there whether it was overtaken; also for keys that are not given."
        ),
    ] = None,
    api_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --online: a file of the API key that may see the decision."),
    ] = None,
    machine: Machine = False,
) -> int:
    """Verify a decision's credential by public keys alone; exit 1 if it does not hold, or was overtaken."""
    from caseledger import checking

    if api_key is not None and online is None:
        raise typer.TyperException("--api-key is for --online")
    asked = checking.Asked(file, tuple(key or ()), log_key, online, api_key)
    return 0 if checking.check_credential(asked, machine) else FAILED


@app.command("rotate-credential-key")
def rotate_credential_key(
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Believe nothing more that older keys signed: others got hold of one.")
    ] = False,
    machine: Machine = False,
) -> None:
    """Sign credentials by a new key; servers go on meanwhile, and what older keys signed stays verifiable."""
    from caseledger import checking

    checking.rotate_credential_key(read_settings(), withdraw, machine)


Phone = Annotated[
    str | None, typer.Option("--phone", metavar="NUMBER", help="The complainant's number; - reads it from stdin.")
]
Complaint = Annotated[str | None, typer.Option("--complaint", metavar="ID", help="Who made this complaint.")]
Representative = Annotated[
    str | None, typer.Option("--representative-of", metavar="USCC", help="This enterprise's legal representative.")
]
SubjectId = Annotated[str | None, typer.Option("--subject", metavar="ID", help="The random id of the person.")]


@app.command()
def erase(
    ground: Annotated[str, typer.Option(help="Why, in words that do not say who: they stay in the ledger.")],
    phone: Phone = None,
    complaint: Complaint = None,
    representative_of: Representative = None,
    subject: SubjectId = None,
    machine: Machine = False,
) -> None:
    """Destroy the key of a person's data: no one can read them again, and no proof changes."""
    from caseledger import erasing

    erasing.erase(read_settings(), erasing.named(subject, phone, complaint, representative_of), ground, machine)


@app.command()
def hold(
    reason: Annotated[str | None, typer.Option(help="Why the data must be kept.")] = None,
    release: Annotated[bool, typer.Option("--release", help="Release the hold instead.")] = False,
    phone: Phone = None,
    complaint: Complaint = None,
    representative_of: Representative = None,
    subject: SubjectId = None,
    machine: Machine = False,
) -> None:
    """Put a person's data under a legal hold, so that they are not erased; or release them."""
    from caseledger import erasing

    if release == (reason is not None):
        raise typer.TyperException("hold takes either --reason TEXT or --release")
    erasing.hold(read_settings(), erasing.named(subject, phone, complaint, representative_of), reason, machine)


@app.command("rotate-master-key")
def rotate_master_key(machine: Machine = False) -> None:
    """Wrap the keys of all data subjects by a new master key; servers go on meanwhile."""
    from caseledger import erasing

    erasing.rotate_master_key(read_settings(), machine)


@keys_app.command("create")
def keys_create(
    role: Annotated[str, typer.Option(metavar="ROLE", help=f"One of {', '.join(Role)}.")],
    name: Annotated[str, typer.Option(help="Who holds it, for the list.")] = "",
    carrier: Annotated[str | None, typer.Option(metavar="CODE", help="The carrier that it speaks for.")] = None,
    authority: Annotated[
        str | None, typer.Option(metavar="CODE", help="The authority that it speaks for: MIIT or CA-nn.")
    ] = None,
    scope: Annotated[list[str] | None, typer.Option(help=f"More that it may: {', '.join(SCOPES)}.")] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="DATE|DAYS", help="Its last day (Asia/Shanghai), or for how many days it is good."),
    ] = None,
) -> None:
    """Make a key and print it, this once."""
    until = expiry(expires, datetime.now(UTC)) if expires else None
    with open_system(read_settings()) as system:
        key, made = system.keys.create(
            role, name=name, carrier=carrier, authority=authority, scopes=scope or (), expires_at=until
        )
    print(key, flush=True)
    note(
        f"This is the {made.role} key {made.id}. It is shown this once: keep it safe. Send it as Authorization: Bearer KEY."
    )


@keys_app.command("list")
def keys_list(machine: Machine = False) -> None:
    """List the keys, without their secrets."""
    with open_system(read_settings()) as system:
        found = [_described(info) for info in system.keys.list()]
    if machine:
        as_json({"keys": found})
    else:
        as_table(list(_described_names), [list(each.values()) for each in found], of="keys")


@keys_app.command("revoke")
def keys_revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
) -> None:
    """Revoke a key; it is refused within five seconds."""
    with open_system(read_settings()) as system:
        revoked = system.keys.revoke(id_)
    note(f"The {revoked.role} key {revoked.id} is revoked.")


_described_names: Final = (
    "id", "role", "name", "carrier", "authority", "scopes", "createdAt", "revokedAt",
    "expiresAt", "lastUsedAt",
)  # fmt: skip


def _described(info: KeyInfo) -> dict[str, Any]:
    values = (info.id, info.role.value, info.name, info.carrier, info.authority, list(info.scopes))
    times = (info.created_at, info.revoked_at, info.expires_at, info.last_used_at)
    return dict(zip(_described_names, (*values, *times), strict=True))


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs a command and gives its exit code; whatever happens, no trace of it reaches the terminal unasked."""
    _Debug.on = False
    # Libraries keep quiet: what a person has to know of an error is the one sentence. `serve` logs.
    configure_logs(logging.CRITICAL)
    try:
        code = app(list(arguments), standalone_mode=False, prog_name="caseledger")
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        return _say(_usage(error), WRONG)
    except (NotWitnessed, NotRebuilt) as error:
        return _say(str(error), FAILED)
    except (Unusable, PostgresError, MigrationError, Malformed) as error:
        return _say(str(error), WRONG)
    except (psycopg.OperationalError, PoolTimeout):
        return _say("The database went away. See that it runs, then try again: nothing is recorded twice.", FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return _say("Stopped. What was recorded stays.", FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return _unforeseen(error)


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return code


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "caseledger"
    message = error.format_message().rstrip(".")
    return message if message.startswith("Usage:") else f"{message}. See `{path} --help`."


def _unforeseen(error: Exception) -> int:
    if _Debug.on:
        raise error
    try:
        home = read_settings().home
    except SettingsError:
        home = Path(HOME)
    log = home / "caseledger.log"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{where(error)}\n")
    except OSError:
        return _say("Internal error; run it again as `caseledger --debug …` to see where.", FAILED)
    return _say(f"Internal error, see the log {log}; `caseledger --debug …` shows more.", FAILED)


if __name__ == "__main__":
    main()
