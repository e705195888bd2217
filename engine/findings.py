"""The codes of findings, and how findings about rows are worded: one per row, then one for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from engine.records import Issue, Severity

ROWS_SHOWN = 20
NUMBERS_SHOWN = 10


class Code(StrEnum):
    """What a finding is about; these texts are stable, scripts may rely on them."""

    ANNOTATIONS = "annotations"  # what an annotation tool's export holds, and what of it is used
    BAD_LINE = "bad_line"  # a line of a JSON Lines file is not JSON
    BROKEN_LETTERS = "broken_letters"  # single lines are not in the encoding of the others
    CHANGED_ANSWERS = "changed_answers"  # a test row of an earlier version has another answer now
    CLASS_NAMES = "class_names"  # the file itself names its labels
    CONFLICTING_LABELS = "conflicting_labels"  # the same text has different labels
    CUT_CELLS = "cut_cells"  # a viewer has cut texts
    DUPLICATE_ROWS = "duplicate_rows"  # a row repeats another and is left out
    EMPTY_CONTEXT = "empty_context"  # a row has no passage
    EMPTY_MESSAGES = "empty_messages"  # a conversation has no turns, an empty turn or no turn of the user
    EMPTY_PART = "empty_part"  # one of the columns that are joined is empty in some rows
    EMPTY_PROMPT = "empty_prompt"  # a row has no prompt
    EMPTY_QUESTION = "empty_question"  # a row has no question
    EMPTY_SOURCE = "empty_source"  # a row has no text
    ENCODING = "encoding"  # the file is not UTF-8; read as something else
    EQUAL_LABELS = "equal_labels"  # labels written in several ways are the same
    FEW_ROWS = "few_rows"  # too few rows to conclude
    FORMAT = "format"  # the extension does not fit the content
    INTEGER_LABELS = "integer_labels"  # the labels are numbers
    JSON_LAYOUT = "json_layout"  # the rows of a JSON document are laid out in a way of their own
    LABEL_SETS = "label_sets"  # rows have several labels, or none
    LABEL_VARIANTS = "label_variants"  # labels differ in spelling only
    LISTS_IN_CELLS = "lists_in_cells"  # a column of a text table is written as lists
    LOOSE_QUOTES = "loose_quotes"  # quotation marks inside quoted CSV texts are not doubled
    MISSING_ROLE = "missing_role"  # no column was found for a role
    MISSING_TARGET = "missing_target"  # a row has no target
    MIXED_TYPES = "mixed_types"  # a column mixes numbers and texts
    NEAR_DUPLICATES = "near_duplicates"  # a row is nearly the same as another
    NEWER_VERSION = "newer_version"  # how many rows are new, how many are gone
    NO_HEADER = "no_header"  # the first row is data
    NOT_AN_OBJECT = "not_an_object"  # a row of a JSON file has no named fields
    ONE_CLASS = "one_class"  # all rows have one label
    ONE_TEXT = "one_text"  # most rows share one text, so it is on both sides of the split
    OTHER_DATASET = "other_dataset"  # a newer version without any test row of the earlier one
    PERSONAL_DATA = "personal_data"  # possible e-mail address, phone or card number
    RARE_LABEL = "rare_label"  # a label has too few rows
    REFUSED = "refused"  # the model's chat template refuses a conversation
    RENAMED_COLUMNS = "renamed_columns"  # columns without a name of their own
    REPEATED_HEADER = "repeated_header"  # the header comes again among the rows
    ROWS_UNDER_KEY = "rows_under_key"  # the rows are a list inside a JSON object
    SEVERAL_ANSWERS = "several_answers"  # conversations have answers before the last
    SEVERAL_LABELS = "several_labels"  # a row has more than one label
    SHARED_WITH_TEST = "shared_with_test"  # a row is in the user's own test file too and is left out
    SHEETS = "sheets"  # a workbook has several sheets
    SQUAD_FORMAT = "squad_format"  # a nested SQuAD file, read as a row per question
    TEXT_IN_TEST = "text_in_test"  # the user's own test file has the same text with another question or label
    TOOL_CALLS = "tool_calls"  # answers call tools
    TOO_FEW_ROWS = "too_few_rows"  # too few rows to use at all
    TOO_MANY_LABELS = "too_many_labels"  # nearly every row has a label of its own
    TRUNCATED = "truncated"  # rows are longer than the model reads
    UNANSWERABLE = "unanswerable"  # a question has an empty list of answers
    UNBALANCED_LABELS = "unbalanced_labels"  # one label is far more frequent than others
    UNKNOWN_LABELS = "unknown_labels"  # the user's own test file has labels that cannot be learned
    UNKNOWN_ROLE = "unknown_role"  # a turn is by neither user nor assistant
    UNKNOWN_TASK = "unknown_task"  # a person must choose the task or a column
    UNQUOTED = "unquoted"  # quotation marks belong to the texts
    UNUSED_COLUMNS = "unused_columns"  # columns that play no role
    VANISHED_TEST_ROWS = "vanished_test_rows"  # test rows of an earlier version that are gone
    WORD_FOR_NOTHING = "word_for_nothing"  # a label is a word that may mean: no label
    WRONG_FIELD_COUNT = "wrong_field_count"  # a CSV row has more or fewer fields than the header


def listed(items: Iterable[object], shown: int = NUMBERS_SHOWN) -> str:
    """Items as a person would read them out: 'a, b and 3 more'."""
    texts = [str(item) for item in items]
    if len(texts) <= shown:
        return ", ".join(texts[:-1]) + (" and " if len(texts) > 1 else "") + "".join(texts[-1:])
    return f"{', '.join(texts[:shown])} and {len(texts) - shown:,} more"


def counted(number: int, noun: str) -> str:
    """'1 row', '1,234 rows'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def by_row(
    severity: Severity, code: Code, numbers: Sequence[int], sentence: Callable[[int], str]
) -> list[Issue]:
    """One finding per row up to ROWS_SHOWN, then one for all the rest."""
    issues = [Issue(severity, code, number, sentence(number)) for number in numbers[:ROWS_SHOWN]]
    rest = numbers[ROWS_SHOWN:]
    if rest:
        text = f"{counted(len(numbers), 'row')} in all; beside those named: {listed(rest)}."
        issues.append(Issue(severity, code, None, text))
    return issues
