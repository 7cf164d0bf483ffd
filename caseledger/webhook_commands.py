"""`caseledger webhooks`: who is told of events, and what each was sent."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import uuid4

import typer

from caseledger.reporting import as_json, as_table, note
from caseledger.settings import Settings, read_settings
from caseledger.wiring import System, open_system
from domain.callers import Caller
from domain.identifiers import malformed
from domain.text import shown
from ledger.addresses import Target, target_of
from ledger.cloudevents import TYPE_PREFIX
from ledger.read_log import Read
from ledger.webhooks import Attempt, Delivery, DeliveryFilter, Made, Wanted, Webhook, Webhooks

READ_FIELD: Final = "Webhook.events"
"""What the read log says was shown."""

webhooks_app = typer.Typer(
    help="Webhooks: events pushed as CloudEvents to a URL, signed, in order for each enterprise.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Machine = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id, as `webhooks list` shows it.")]


@webhooks_app.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events are sent: https://HOST[:PORT]/PATH.")],
    key: Annotated[
        str, typer.Option(metavar="ID", help="The key that it acts under: it is told what that key's holder may see.")
    ],
    types: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE,…", help="Types of events, such as PenaltyImposed; all by default."),
    ] = None,
    usccs: Annotated[
        list[str] | None, typer.Option(metavar="USCC,…", help="Enterprises; all by default, and events of none.")
    ] = None,
    name: Annotated[str, typer.Option(help="Whose it is, for the list.")] = "",
    after: Annotated[
        int | None,
        typer.Option(metavar="POSITION", help="Events after this position; by default what comes from now on."),
    ] = None,
    machine: Machine = False,
) -> None:
    """Make a webhook and print its secret, this once."""
    settings = read_settings()
    target = _allowed(url, settings)
    wanted = Wanted(name, _types(types), _listed(usccs), after)
    with open_system(settings) as system:
        made, caller = _webhooks(system).add(target, key, wanted)
        _note_read(system, made.webhook, caller)
    _show_made(made, machine, f"It is sent events after position {made.webhook.position}, by a running server.")


@webhooks_app.command("list")
def list_(machine: Machine = False) -> None:
    """List the webhooks, how far each is, and what waits or was given up; never their secrets."""
    with open_system(read_settings()) as system:
        found = _webhooks(system).all()
    if machine:
        as_json({"webhooks": [_as_object(each) for each in found]})
        return
    columns = (
        "id",
        "name",
        "state",
        "url",
        "key",
        "types",
        "usccs",
        "position",
        "waiting",
        "dead",
        "delivered",
        "failing since",
    )
    rows = [
        (
            *(each.id, each.name, each.state, each.url, each.key, each.types or "all", each.usccs or "all"),
            *(each.position, each.waiting, each.dead, each.delivered, each.failing_since),
        )
        for each in found
    ]
    as_table(columns, rows, of="webhooks")


@webhooks_app.command("pause")
def pause(id_: Id) -> None:
    """Send nothing until it is resumed; what comes meanwhile is sent then."""
    with open_system(read_settings()) as system:
        note(f"The webhook {_webhooks(system).pause(id_).id} is paused.")


@webhooks_app.command("resume")
def resume(id_: Id) -> None:
    """Send again: after a pause, or when a receiver that had answered 410 is back."""
    with open_system(read_settings()) as system:
        found = _webhooks(system).resume(id_)
        _note_read(system, found, system.keys.named(found.key).caller)
    if found.state == "ended":
        note(f"The webhook {found.id} stays ended: its key {found.key} is good no more; add another under a good key.")
    else:
        note(f"The webhook {found.id} goes on after position {found.position}; {found.waiting} deliveries wait.")


@webhooks_app.command("remove")
def remove(id_: Id) -> None:
    """End a webhook for good; the log of what it was sent stays."""
    with open_system(read_settings()) as system:
        note(f"The webhook {_webhooks(system).remove(id_).id} is removed.")


@webhooks_app.command("rotate")
def rotate(id_: Id, machine: Machine = False) -> None:
    """Give it another secret and print that, this once; for 24 hours messages are signed by both."""
    with open_system(read_settings()) as system:
        made = _webhooks(system).rotate(id_)
    _show_made(made, machine, "For 24 hours messages bear a signature by the secret before it, too.")


@webhooks_app.command("deliveries")
def deliveries(
    webhook: Annotated[str | None, typer.Option(metavar="ID", help="Of one webhook only.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only what failed: it is retried, or was given up.")] = False,
    delivery: Annotated[
        str | None, typer.Option(metavar="DELIVERY", help="Every attempt of one delivery instead.")
    ] = None,
    before: Annotated[int | None, typer.Option(metavar="POSITION", help="Of events before this position only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 100,
    machine: Machine = False,
) -> None:
    """List deliveries, of the newest events first, with what came of the last attempt."""
    with open_system(read_settings()) as system:
        webhooks = _webhooks(system)
        if delivery is not None:
            attempts = webhooks.attempts(delivery)
        else:
            found = webhooks.deliveries(DeliveryFilter(webhook, failed, before, limit))
    if delivery is not None:
        _show("attempts", [_as_object(each) for each in attempts], machine)
    else:
        _show("deliveries", [_as_object(each) for each in found], machine)


@webhooks_app.command("resend")
def resend(
    delivery: Annotated[str | None, typer.Argument(metavar="[DELIVERY]", help="The id of a delivery.")] = None,
    event: Annotated[
        int | None,
        typer.Option(metavar="POSITION", help="The position of an event instead: to all who were told of it."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="ID", help="With --event: to this webhook, whether it was told of it or not.")
    ] = None,
    machine: Machine = False,
) -> None:
    """Send something again under the same webhook-id, beside the order of its enterprise."""
    if (delivery is None) == (event is None) or (webhook is not None and event is None):
        raise typer.TyperException("resend takes either DELIVERY or --event POSITION [--webhook ID]")
    with open_system(read_settings()) as system:
        webhooks = _webhooks(system)
        found = webhooks.resend(delivery) if delivery else webhooks.resend_event(event or 0, webhook)
    if machine:
        as_json({"deliveries": [_as_object(each) for each in found]})
    else:
        note(f"A running server sends {', '.join(each.id for each in found)} again.")


def _webhooks(system: System) -> Webhooks:
    return Webhooks(system.pool, system.sealer, system.keys, retry_days=system.settings.hooks.days)


def _allowed(url: str, settings: Settings) -> Target:
    """Where a URL leads, if it may be sent to. Raises Malformed."""
    # Loaded where it is used: the modules of HTTP take their time.
    from caseledger.sending import AddressRefused, Unresolved, addresses_of

    target = target_of(url, settings.hooks.private)
    try:
        addresses_of(target, settings.hooks.private)
    except Unresolved:
        raise malformed(
            f"主机名 {shown(target.host)} 无法解析；请检查拼写与域名服务",
            f"The host {shown(target.host)} has no address; look for a slip in typing, and at the name server",
        ) from None
    except AddressRefused:
        raise malformed(
            f"{shown(target.host)} 指向本机、内部网络或其他非公网地址，已拒绝；如确需使用，请设 CASELEDGER_WEBHOOK_ADDRESSES=any",
            f"The host {shown(target.host)} leads to this machine, a private network or another address that is not public, "
            "which is refused; CASELEDGER_WEBHOOK_ADDRESSES=any allows it",
        ) from None
    return target


def _note_read(system: System, webhook: Webhook, caller: Caller) -> None:
    """Notes, as of a subscription when it begins, that a key's holder is shown events from now on."""
    role, reader, now = caller.role, caller.signature, datetime.now(UTC)
    of: Sequence[str | None] = webhook.usccs or (None,)
    every = webhook.usccs is None
    system.read_log.note([Read(uuid4(), now, role, reader, READ_FIELD, webhook.id, uscc, every) for uscc in of])
    system.read_log.flush()


def _listed(given: Iterable[str] | None) -> tuple[str, ...] | None:
    """What was given between commas, or by an option that was repeated; None where it was not."""
    if given is None:
        return None
    return tuple(part.strip() for each in given for part in each.split(",") if part.strip())


def _types(given: Iterable[str] | None) -> tuple[str, ...] | None:
    """The types as they are recorded under; those of CloudEvents will do."""
    listed = _listed(given)
    return None if listed is None else tuple(each.removeprefix(TYPE_PREFIX) for each in listed)


def _show_made(made: Made, machine: bool, more: str) -> None:
    if machine:
        as_json({"webhook": _as_object(made.webhook), "secret": made.secret})
        return
    print(made.secret, flush=True)
    note(f"This is the secret of the webhook {made.webhook.id}. It is shown this once: give it to the receiver. {more}")


def _show(what: str, found: Sequence[dict[str, Any]], machine: bool) -> None:
    if machine:
        as_json({what: list(found)})
    else:
        as_table(list(found[0]) if found else (), [list(each.values()) for each in found], of=what)


def _as_object(each: Webhook | Delivery | Attempt) -> dict[str, Any]:
    """The fields by the names that programs know them by."""
    return {_camel(one.name): getattr(each, one.name) for one in fields(each)}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)
