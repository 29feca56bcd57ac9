"""What can go wrong, as one tree.

.. code-block:: text

    ReadinessError
    ├── BadInput             a value somebody wrote cannot be used
    │   ├── BadName          a source name that is not ``database.table``
    │   ├── BadDate          a business date that is none
    │   ├── BadCondition     a condition that cannot be expressed or is too long
    │   ├── UnknownSource    no settings and no flow name this source
    │   ├── BadSettings      a file of settings with mistakes, each with its line
    │   ├── BadDocument      a Redis or event document that does not parse
    │   ├── BadManifest      a dbt manifest, or a list by ``dbt ls``, that cannot be read
    │   ├── BadSelection     a dbt selection that selects no model, or whose models read no source
    │   └── BadMapping       a dbt source that names no log, or two
    ├── NotConfigured        a connection is missing or incomplete
    ├── SchemaMissing        the Postgres has no (or an older) readiness schema
    ├── Refused              a command that would start a flow early or twice, or change nothing
    └── NotLaunched          ``launch()`` in a run that readiness did not start

Every message names the value and says what to do.
"""

from __future__ import annotations


class ReadinessError(Exception):
    """The root: catch this to catch everything that this package raises on purpose."""


class BadInput(ReadinessError, ValueError):
    """A value that somebody wrote cannot be used."""


class BadName(BadInput):
    """A source name is not ``database.table``."""


class BadDate(BadInput):
    """A business date is not ``YYYY-MM-DD``."""


class BadCondition(BadInput):
    """A condition cannot be expressed."""


class UnknownSource(BadInput):
    """No settings and no flow name this source."""


class BadSettings(BadInput):
    """A file of settings has mistakes; one line for each, with its number."""


class BadDocument(BadInput):
    """A JSON document from Redis or from an asset event does not parse."""


class BadManifest(BadInput):
    """A dbt manifest, or a list made by ``dbt ls``, is missing, unfinished or of an unknown version."""


class BadSelection(BadInput):
    """A dbt selection selects no model, or its models read no source, or only dbt can resolve it."""


class BadMapping(BadInput):
    """A dbt source maps to no log, or to two."""


class NotConfigured(ReadinessError):
    """A connection is missing or incomplete."""


class SchemaMissing(ReadinessError):
    """The Postgres has no readiness schema, or one of another version."""


class Refused(ReadinessError):
    """Not done: the flow is not launched, has a run, or is not able to run; or nothing would change."""


class NotLaunched(ReadinessError):
    """This run was not started by readiness."""
