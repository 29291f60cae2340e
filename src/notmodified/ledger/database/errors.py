"""What the ledgers of all databases raise."""


class LedgerError(Exception):
    """The database has no ledger, or does not answer."""
