"""What can go wrong with the program, and people can mend.

Unusable                    the message is one sentence or two: what was found, what is legal, what to do
├── SettingsError           a setting that is unknown or cannot be used
├── DatabaseError           the database of the settings cannot be used
├── SigningKeyError         the key that checkpoints are signed with is missing, another's or open to others
├── MasterKeyUnusable       the key that personal fields are sealed under is missing or another's
├── CredentialKeyUnusable   the key that credentials are signed with was withdrawn, is none or open to others
├── CannotServe             the server cannot listen
├── Unreadable              a file cannot be read, or is of another format
├── ImportStopped           an import cannot go on
├── CannotReplay            there is no such decision or rulebook version
├── CannotVerify            evidence, a key or a checkpoint that cannot be looked at
├── CannotExport            what was asked for cannot be written, or not all of it
├── CannotErase             there is no such person, or a legal hold keeps the data
├── NoSuchProjection        a rebuild was asked for of something else
├── NotRebuilt              what was rebuilt does not take the place of what serves
├── LogNotRead              a ledger that is to be witnessed does not answer
├── NotWitnessed            a ledger is not the continuation of what its witness saw before
└── NotEmpty                a demonstration is for an empty ledger

The carried PostgreSQL and the migrations have errors of their own (PostgresError, MigrationError), identifiers and keys
raise Malformed. No message holds a password or a key.
"""


class Unusable(Exception):
    """Something that the program was given cannot be used as it is."""


class SettingsError(Unusable):
    """A setting that cannot be used; the message says which, what is legal and never what secret it holds."""


class DatabaseError(Unusable):
    """The database of the settings cannot be used; the message says why, without its password."""


class CannotServe(Unusable):
    """The server cannot listen where it was told to."""


class Unreadable(Unusable):
    """A file cannot be read, not to its end, or not as lines of JSON."""


class ImportStopped(Unusable):
    """The import cannot go on. What was recorded before stays."""


class NotEmpty(Unusable):
    """The ledger has a history already."""


class CannotReplay(Unusable):
    """What was asked to be decided again is not there."""


class SigningKeyError(Unusable):
    """The key that this ledger's checkpoints are signed with cannot be used."""


class MasterKeyUnusable(Unusable):
    """The key that this ledger's personal fields are sealed under cannot be used."""


class CannotVerify(Unusable):
    """Evidence, a key or a checkpoint cannot be looked at."""


class CannotExport(Unusable):
    """What was asked for cannot be written; nothing of it was left."""


class CannotErase(Unusable):
    """There is no such person in the ledger, or a legal hold keeps the data."""


class NoSuchProjection(Unusable):
    """There is no projection of that name."""


class NotRebuilt(Unusable):
    """A rebuild was not begun, or knows less than what serves; what serves goes on."""


class LogNotRead(Unusable):
    """A ledger that is to be witnessed does not answer as one."""


class NotWitnessed(Unusable):
    """A ledger shrank, split, was rewritten, or signed by another key; both notes are kept as proof."""


class CredentialKeyUnusable(Unusable):
    """The key that credentials are signed with cannot be used."""
