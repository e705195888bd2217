"""Every error that may be shown to a person; its message says what must hold, what was found and what to do.

ShortlistError
├── DatasetError      a file or its rows cannot be used
├── ConfigError       a hyperparameter, metric, size or option is out of range
├── TableError        a results table cannot be ranked or validated
├── ModelError        a base model is unknown, missing or does not fit
├── NotFoundError     a study, run or dataset does not exist
├── BusyError         another process holds what is needed (home, database, GPU)
├── StackError        Redis or a worker cannot be started or reached
└── TrainingError     a run failed for a reason that we can name
"""


class ShortlistError(Exception):
    """Base of the family: one clear sentence that a page or the terminal may show as it is."""


class DatasetError(ShortlistError):
    """A file or its rows cannot be used; names the file, row or column and the fix."""


class ConfigError(ShortlistError):
    """A hyperparameter, metric, size or option is out of range; names the field and what it allows."""


class TableError(ShortlistError):
    """A results table cannot be ranked or validated; names the column or row."""


class ModelError(ShortlistError):
    """A base model is unknown, missing, does not fit the machine or the method."""


class NotFoundError(ShortlistError):
    """A study, run or dataset with this id does not exist."""


class BusyError(ShortlistError):
    """Another process holds what is needed; says which and how to go on."""


class StackError(ShortlistError):
    """Redis or a worker cannot be started or reached."""


class TrainingError(ShortlistError):
    """A run failed for a reason that can be named in one sentence."""
