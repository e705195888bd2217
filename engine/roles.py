"""Guesses the task and which column plays which role, and says why, so that a person can object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine import answers_seen, inputs, label_columns, options
from engine.columns import LONG_WORDS, Kind, Profile, profile
from engine.errors import DatasetError
from engine.findings import Code, listed
from engine.headings import columns_of, expression
from engine.records import Issue, Role, Severity, Task
from engine.sheets import Table, text_of

TASK_ROLES: dict[Task, tuple[Role, ...]] = {
    Task.CLASSIFICATION: (Role.SOURCE, Role.TARGET),
    Task.MULTILABEL: (Role.SOURCE, Role.TARGET),
    Task.SUMMARIZATION: (Role.SOURCE, Role.TARGET),
    Task.QA: (Role.CONTEXT, Role.QUESTION, Role.TARGET),
    Task.GENERATION: (Role.PROMPT, Role.TARGET),
}

TEXT = "text sentence review message comment tweet utterance ticket email post content body query input"
DOCUMENT = "document article dialogue dialog source transcript report passage notes story"
LABEL = (
    "label_text label_name class_name category_name label category class sentiment intent topic emotion "
    "gold_label coarse_label tag rating stars stance polarity verdict"
)
SURE_LABEL = "label_text label_name class_name label class gold_label"  # no other column is meant then
SUMMARY = "summary highlights tldr tl_dr abstractive_summary"
TARGET = "target output"
LABEL_SETS = "labels tags categories topics genres classes intents emotions"
MOST_LABELS = 50
FEWEST_ONE_HOT = 3  # columns of ones and noughts that are labels although another column could be the label
CONTEXT = "context passage paragraph contexts background document article story abstract text"
QUESTION = "question query"
ANSWER = "answers answer answer_text gold_answer gold_answers final_answer final_decision"
PROMPT = "prompt instruction"
RESPONSE = "completion response output"
COMPLETION = "completion response output answer target"
MESSAGES = "messages conversations conversation turns"
LONGER = 1.0  # a summary is shorter than its text, a question shorter than its passage [ours]
ASKS = 0.8  # share of texts with a question mark at the end from which on they are questions [ours]
CHOSEN = "You chose it."
Chosen = dict[Role, tuple[str, str]]  # of each role the column and why


@dataclass(frozen=True, slots=True)
class Guess:
    """What was understood: `task` is None when a person must choose; each role with its column and why.

    `unused`: why each other column plays no role. `asked`: what a person must decide of a role.
    """

    task: Task | None
    task_reason: str
    roles: Mapping[Role, str]
    role_reasons: Mapping[Role, str]
    unused: Mapping[str, str] = field(default_factory=dict)
    asked: str = ""


def parse(pairs: Iterable[str]) -> dict[Role, str]:
    """Roles from texts such as 'source=title+body' (the command line's --map)."""
    roles = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not equals or not column:
            raise DatasetError(f"Write --map as role=column, not {pair!r}.")
        roles[_role(name)] = column
    return roles


def guess(table: Table, task: Task | None = None, roles: Mapping[Role, str] | None = None) -> Guess:
    """The task and the roles; what the caller gives is kept, the rest is guessed from names and content."""
    given = {_role(str(name)): column for name, column in (roles or {}).items()}
    profiles = [profile(column, table) for column in table.columns]
    _check_columns(given, table.columns)
    _check_target(given, profiles)
    one_hot = _one_hot(profiles, given, task)
    found, reason = task, CHOSEN
    if task is None:
        found, reason = _task_of_one_hot(one_hot, table) if one_hot else _task_of_roles(given, profiles)
    if task is None and not given and (refused := answers_seen.refusal(profiles, table)):
        found, reason = None, refused
    elif task is None and not given and not found:
        reason = answers_seen.only_scores(profiles, table) or reason
    elif task is None and found:
        found, reason = _task_of_answers(found, reason, profiles, given, table)
    if found is None:
        return Guess(None, reason, given, {role: CHOSEN for role in given})
    _check_roles(given, found)
    if one_hot and Role.TARGET not in given:
        given[Role.TARGET] = expression(one_hot)
    chosen = _roles(found, profiles, given, table)
    if one_hot and Role.TARGET not in (roles or {}):
        chosen[Role.TARGET] = (given[Role.TARGET], "A column of ones and noughts for each label.")
    asked = _other_labels(found, chosen, profiles, table)
    if asked:
        del chosen[Role.TARGET]
    elif task is None and (doubt := _doubt(found, chosen, profiles)):
        return Guess(None, doubt, given, {role: CHOSEN for role in given})
    unused = _with_inputs(found, chosen, profiles, table)
    return Guess(
        found, reason, {r: c for r, (c, _) in chosen.items()}, {r: why for r, (_, why) in chosen.items()},
        unused, asked,
    )  # fmt: skip


def _with_inputs(task: Task, chosen: Chosen, profiles: Sequence[Profile], table: Table) -> dict[str, str]:
    """Adds what else is read to the input in `chosen`; answers why the other columns are not."""
    used = {c for column, _ in chosen.values() for c in columns_of(column, table.columns)}
    free = [p for p in profiles if p.column not in used]
    kept = [role for role in input_roles(task) if role in chosen and chosen[role][1] != CHOSEN]
    if not kept or Role.TARGET not in chosen:
        return {p.column: inputs.KINDS[p.kind] for p in free}
    main, role = chosen[kept[-1]][0], kept[0]
    taken, left = inputs.beside(main, chosen[Role.TARGET][0], free, task, table)
    for column, why in taken.items():
        into = Role.QUESTION if task is Task.QA and why == inputs.OPTION else role
        if into in kept:
            chosen[into] = _joined(chosen[into], column, why, table)
        else:
            left[column] = why
    return left


def input_roles(task: Task) -> tuple[Role, ...]:
    """The roles of what is read, without what is learned."""
    return tuple(role for role in TASK_ROLES[task] if role is not Role.TARGET)


def _joined(role: tuple[str, str], column: str, why: str, table: Table) -> tuple[str, str]:
    """A role with one more column, in the order of the file."""
    there = {*columns_of(role[0], table.columns), column}
    found = expression([name for name in table.columns if name in there])
    return found, f"{role[1]} With {column!r}: {why}."


def _other_labels(task: Task, chosen: Chosen, profiles: Sequence[Profile], table: Table) -> str:
    """Why the guessed label must be asked for: another column may be it as well; empty where none may."""
    if task is not Task.CLASSIFICATION or Role.TARGET not in chosen or chosen[Role.TARGET][1] == CHOSEN:
        return ""
    target = next((p for p in profiles if p.column == chosen[Role.TARGET][0]), None)
    if target is None or target.name in SURE_LABEL.split():
        return ""
    used = {c for column, _ in chosen.values() for c in columns_of(column, table.columns)}
    named = [p for p in profiles if p.column not in used and p.name in f"{LABEL} {TARGET}".split()]
    rivals = [
        p for p in named
        if p.is_label_like and p.distinct > 1 and p.commonest <= inputs.CONSTANT
        and not inputs.follows_from(p.column, target.column, table)
        and not inputs.follows_from(target.column, p.column, table)
    ]  # fmt: skip
    names = listed(map(_quoted, [target, *rivals]))
    return f"{names} could each be the labels" if rivals else ""


def _doubt(task: Task, chosen: Chosen, profiles: Sequence[Profile]) -> str:
    """Where names and content disagree about guessed columns; empty where they do not."""
    by_role = {
        role: next(p for p in profiles if p.column == column)
        for role, (column, why) in chosen.items()
        if why != CHOSEN and any(p.column == column for p in profiles)
    }
    target, source = by_role.get(Role.TARGET), by_role.get(Role.SOURCE)
    context, question = by_role.get(Role.CONTEXT), by_role.get(Role.QUESTION)
    labelled = target and source and target.is_label_like and not source.is_label_like
    if target and source and not labelled and source.length <= target.length * LONGER:
        return f"{_quoted(source)} is no longer than {_quoted(target)}: choose which is the answer."
    if context and question and question.length >= context.length * LONGER:
        return f"{_quoted(question)} is longer than {_quoted(context)}: choose which is the passage."
    if question and question.kind in (Kind.LIST, Kind.LABELS):
        return f"{_quoted(question)} holds lists, as answers are: choose the columns."
    if target and question and target.asking >= ASKS > question.asking:
        return f"{_quoted(target)} holds questions, {_quoted(question)} does not: choose the columns."
    return ""


def missing_roles(guess: Guess) -> tuple[Role, ...]:
    """Roles of the task for which no column was found."""
    if guess.task is None or Role.MESSAGES in guess.roles:
        return ()
    return tuple(role for role in TASK_ROLES[guess.task] if role not in guess.roles)


def type_issues(guess: Guess, table: Table) -> list[Issue]:
    """Labels that are numbers, and columns that mix numbers and texts."""
    issues = []
    for role, written in guess.roles.items():
        for column in columns_of(written, table.columns):
            there = (value for value in table.values(column) if text_of(value) is not None)
            if {str} < {type(value) for value in there if isinstance(value, (str, int, float))}:
                text = f"Column {column!r} ({role}) mixes numbers and texts; all are used as text."
                issues.append(Issue(Severity.WARNING, Code.MIXED_TYPES, None, text))
    if Role.MESSAGES in guess.roles:
        return [*issues, *answers_seen.tool_calls(guess.roles[Role.MESSAGES], table)]
    if guess.task is Task.CLASSIFICATION and guess.roles[Role.TARGET] in table.columns:
        target = guess.roles[Role.TARGET]
        seen = profile(target, table)
        if scale := answers_seen.scale_issue(seen, table):
            issues.append(scale)
        elif seen.kind is Kind.NUMBER:
            text = f"The labels in {target!r} are numbers; they are learned as text. Words may work better."
            issues.append(Issue(Severity.INFO, Code.INTEGER_LABELS, None, text))
    return issues


def _role(name: str) -> Role:
    try:
        return Role(name.strip().lower())
    except ValueError as error:
        raise DatasetError(f"There is no role {name!r}; roles are {listed(Role)}.") from error


def _check_columns(given: Mapping[Role, str], columns: Sequence[str]) -> None:
    used: dict[str, Role] = {}
    for role, written in given.items():
        parts = columns_of(written, columns)
        if len(parts) > 1 and role is Role.MESSAGES:
            raise DatasetError(f"The role {role} takes one column, not {listed(parts)}. Choose one.")
        for column in parts:
            if column not in columns:
                raise DatasetError(
                    f"There is no column {column!r} for the role {role}; the file has {listed(columns, 30)}."
                )
            if column in used:
                raise DatasetError(f"Column {column!r} cannot be both {used[column]} and {role}. Choose one.")
            used[column] = role


def _check_target(given: Mapping[Role, str], profiles: Sequence[Profile]) -> None:
    """Several columns are the target only where each says yes or no to one label."""
    parts = columns_of(given.get(Role.TARGET, ""), [p.column for p in profiles])
    if len(parts) > 1 and not all(p.binary for p in profiles if p.column in parts):
        raise DatasetError(f"The role target takes one column, not {listed(parts)}. Choose one.")


def _one_hot(profiles: Sequence[Profile], given: Mapping[Role, str], task: Task | None) -> tuple[str, ...]:
    """The columns of ones and noughts that are a label each; none where another column is the label."""
    columns = [p.column for p in profiles]
    if Role.TARGET in given:
        chosen = columns_of(given[Role.TARGET], columns)
        return chosen if len(chosen) > 1 else ()
    if not (task is None or task.has_labels) or not set(given) <= {Role.SOURCE}:
        return ()
    used = columns_of(given.get(Role.SOURCE, ""), columns)
    binary = [p.column for p in profiles if p.binary and p.kind is not Kind.ID and p.column not in used]
    rest = [p for p in profiles if p.column not in binary]
    named = _named(profiles, f"{LABEL} {LABEL_SETS} {TARGET} {ANSWER} {SUMMARY} {COMPLETION}", *NO_TEXT)
    if named or _conversations(profiles) or not _longest(rest):
        return ()
    others = [p for p in rest if p.kind in (Kind.CATEGORY, Kind.LABELS) and p.distinct > 1]
    return tuple(binary) if len(binary) >= (FEWEST_ONE_HOT if others else 2) else ()


def _task_of_answers(
    task: Task, reason: str, profiles: Sequence[Profile], given: Mapping[Role, str], table: Table
) -> tuple[Task | None, str]:
    """The task once the answers are looked at: those of an assistant may be labels, numbers no labels."""
    by_column = {p.column: p for p in profiles}
    if task is Task.CLASSIFICATION:
        target = by_column.get(given.get(Role.TARGET, "")) or _named(
            profiles, f"{LABEL} {TARGET} {ANSWER} {' '.join(sorted(answers_seen.SCORES))}", *NO_TEXT
        )
        refused = target and answers_seen.score_refusal(target, table)
        return (None, refused) if refused else (task, reason)
    if task is not Task.GENERATION:
        return task, reason
    talks = by_column.get(given.get(Role.MESSAGES, "")) or _conversations(profiles)
    if talks:
        labels = answers_seen.labels_in_conversations(talks.column, table)
        where = f"in {_quoted(talks)}"
    else:
        target = by_column.get(given.get(Role.TARGET, "")) or _named(profiles, COMPLETION, *NO_TEXT)
        labels = answers_seen.labels_of(target) if target and Role.PROMPT not in given else 0
        where = f"in {_quoted(target)}" if target else ""
    if not labels:
        return task, reason
    return Task.CLASSIFICATION, (
        f"The answers {where} are {labels} short texts that repeat, as labels do; choose generation to learn "
        "them as free text."
    )


def _task_of_one_hot(columns: Sequence[str], table: Table) -> tuple[Task | None, str]:
    names = listed(map(repr, columns))
    if label_columns.is_exclusive(table.records, columns):
        return Task.CLASSIFICATION, f"Of the columns {names} each row has a one in exactly one: its label."
    return Task.MULTILABEL, f"The columns {names} hold ones and noughts: each is a label, rows have several."


def _check_roles(given: Mapping[Role, str], task: Task) -> None:
    talks = task in (Task.GENERATION, Task.CLASSIFICATION)
    known = (*TASK_ROLES[task], *([Role.MESSAGES] if talks else []))
    for role in given:
        if role not in known:
            raise DatasetError(f"The task {task} has no role {role}; its roles are {listed(known)}.")


def _named(profiles: Sequence[Profile], aliases: str, *unlike: Kind) -> Profile | None:
    """The first column, in the order of the aliases, with such a name and none of the kinds."""
    for alias in aliases.split():
        for column in profiles:
            if column.name == alias and column.kind not in (Kind.EMPTY, *unlike):
                return column
    return None


NO_TEXT = (Kind.ID, Kind.DATE, Kind.MESSAGES)


def _task_of_roles(given: Mapping[Role, str], profiles: Sequence[Profile]) -> tuple[Task | None, str]:
    """The task that the chosen columns mean; where they leave it open, that of the others."""
    for role, task in ((Role.MESSAGES, Task.GENERATION), (Role.PROMPT, Task.GENERATION)):
        if role in given:
            return task, f"You chose a column for {role}."
    for role in (Role.CONTEXT, Role.QUESTION):
        if role in given:
            return Task.QA, f"You chose a column for {role}."
    target = next((p for p in profiles if p.column == given.get(Role.TARGET)), None)
    if target is not None and target.kind is Kind.LABELS:
        return Task.MULTILABEL, f"{_quoted(target)} names {target.labels} labels, several in one row."
    if target is None or Role.SOURCE not in given:
        found = _task(profiles)
        if target is None or found[0] in (Task.QA, Task.GENERATION):
            return found
        of_target = _task_of_target(target, profiles)
        return of_target if of_target[0] else found
    if target.is_label_like or target.kind is Kind.NUMBER:
        return Task.CLASSIFICATION, f"{_quoted(target)} repeats {target.distinct} short values, as labels do."
    return Task.SUMMARIZATION, f"{_quoted(target)} holds mostly different longer texts."


def _task(profiles: Sequence[Profile]) -> tuple[Task | None, str]:
    """By column names first, then by content; None with the reason when two readings are as good."""
    if found := _conversations(profiles):
        return Task.GENERATION, f"{_quoted(found)} holds conversations."
    question = _named(profiles, QUESTION, *NO_TEXT)
    context = _named([p for p in profiles if p is not question], CONTEXT, *NO_TEXT)
    answer = _named(profiles, ANSWER, *NO_TEXT)
    said = answer or _named(profiles, f"{TARGET} {LABEL}", *NO_TEXT)
    if question and context and said and (said is answer or not said.is_label_like):
        return Task.QA, f"{_quoted(question)} is asked about {_quoted(context)}."
    if as_response := _prompt_and_response(profiles):
        return as_response
    summary, label = _named(profiles, SUMMARY, *NO_TEXT), _named(profiles, f"{LABEL} {LABEL_SETS}", *NO_TEXT)
    if summary and label and label.is_label_like:
        return None, (
            f"{_quoted(label)} looks like labels (classification) and {_quoted(summary)} like summaries "
            "(summarization): choose the task."
        )
    if summary and _source(profiles, summary):
        return Task.SUMMARIZATION, f"{_quoted(summary)} is a summary by its name."
    if label and label.name not in SURE_LABEL.split() and answer and _is_answer(answer):
        return None, _or_label(label, answer)
    if answer and not label and len(texts := _texts_beside(answer, profiles)) > 1:
        return None, (
            f"{_quoted(answer)} may answer a question about a passage (qa), or the texts "
            f"{listed(map(_quoted, texts))} as one prompt: choose the task."
        )
    target = label or answer or _named(profiles, TARGET, *NO_TEXT)
    return _task_of_target(target, profiles) if target else _task_of_content(profiles)


def _prompt_and_response(profiles: Sequence[Profile]) -> tuple[Task | None, str] | None:
    """A prompt and its response by their names; asked where a label stands beside them."""
    prompt, response = _named(profiles, PROMPT, *NO_TEXT), _named(profiles, COMPLETION, *NO_TEXT)
    asked = _named(profiles, f"{QUESTION} input", *NO_TEXT)
    if prompt is None and asked and response and response.name in RESPONSE.split() and _is_answer(response):
        prompt = asked
    if prompt is None or response is None:
        return None
    judged = next((p for p in profiles if p.binary and p.name.startswith("is_")), None)
    label = _named(profiles, SURE_LABEL, *NO_TEXT) or judged
    if label and label.is_label_like and _is_answer(response):
        return None, _or_label(label, response)
    return Task.GENERATION, f"{_quoted(prompt)} and the response to it are there."


def _texts_beside(answer: Profile, profiles: Sequence[Profile]) -> list[Profile]:
    """The texts that an answer may answer: neither options nor facts about the row."""
    choices = options.of(profiles)
    found = [p for p in profiles if p is not answer and p not in choices and p.kind is Kind.TEXT]
    return [p for p in found if inputs.why_not(p, answer.filled) is None]


def _is_answer(found: Profile) -> bool:
    return found.kind is Kind.TEXT and not found.is_label_like


def _or_label(label: Profile, answer: Profile) -> str:
    return (
        f"{_quoted(label)} looks like labels (classification) and {_quoted(answer)} like answers "
        "(generation): choose the task."
    )


def _task_of_target(target: Profile, profiles: Sequence[Profile]) -> tuple[Task | None, str]:
    source = _source(profiles, target)
    if source is None:
        return None, f"No column holds the texts that {_quoted(target)} belongs to: choose it."
    if target.kind is Kind.LABELS:
        return Task.MULTILABEL, (
            f"{_quoted(target)} names {target.labels} labels, several in one row: for {_quoted(source)}."
        )
    if target.kind is Kind.NUMBER and not target.few_values:
        return None, (
            f"{_quoted(target)} has {target.distinct:,} different numbers, too many for labels: a score or "
            "an amount (regression), which no task here learns. Choose another column, or bring the numbers "
            "into a few classes, such as low, medium and high."
        )
    if target.is_label_like and options.of([p for p in profiles if p is not target]):
        return Task.CLASSIFICATION, (
            f"{_quoted(target)} names one of the options of {_quoted(source)}: multiple choice, whose labels "
            "are the marks of the options."
        )
    if target.kind is Kind.NUMBER or target.is_label_like:
        return Task.CLASSIFICATION, (
            f"{_quoted(target)} has {target.distinct} different short values: labels for {_quoted(source)}."
        )
    if source.name in (*QUESTION.split(), "input"):
        return Task.GENERATION, f"{_quoted(target)} answers {_quoted(source)}, and there is no passage."
    if target.words >= LONG_WORDS and target.length < source.length:
        return Task.SUMMARIZATION, (
            f"{_quoted(target)} holds mostly different texts, shorter than those in {_quoted(source)}."
        )
    return None, (
        f"{_quoted(target)} is neither like labels ({target.distinct:,} different values in "
        f"{target.filled:,} rows) nor like summaries of {_quoted(source)}: choose the task."
    )


def _task_of_content(profiles: Sequence[Profile]) -> tuple[Task | None, str]:
    labels = _labels_by_content(profiles)
    source = _longest(profiles)
    if source is None:
        return None, "No column holds texts: choose the columns, or another file."
    if len(labels) == 1 and labels[0].kind is Kind.LABELS:
        return _task_of_target(labels[0], profiles)
    texts = [p for p in profiles if p.kind is Kind.TEXT and inputs.why_not(p, source.filled) is None]
    unnamed = len([p for p in texts if p.name not in inputs.NAMED.split()])
    asked = _named(texts, QUESTION)
    about = _named([p for p in texts if p is not asked], CONTEXT)
    if len(labels) == 1 and (unnamed > 1 or (asked and about)):
        return None, (
            f"{_quoted(labels[0])} could be the label of {listed(map(_quoted, texts))}, or one of these the "
            "answer to the others: choose the task."
        )
    if len(labels) == 1:
        only = labels[0]
        reason = f"{_quoted(only)} has {only.distinct} different short values: labels for {_quoted(source)}."
        return Task.CLASSIFICATION, reason
    if labels:
        names = listed(map(_quoted, labels))
        return None, f"{names} could each be the labels: choose the task and the target column."
    others = [p for p in profiles if p.kind is Kind.TEXT and p is not source]
    if not others:
        return None, f"Beside {_quoted(source)} no column can be learned as the answer: choose it."
    return None, f"{listed(map(_quoted, [source, *others]))} are texts: choose the task and the columns."


def _roles(task: Task, profiles: Sequence[Profile], given: Mapping[Role, str], table: Table) -> Chosen:
    columns = [p.column for p in profiles]
    chosen = {role: (column, CHOSEN) for role, column in given.items()}
    used = {c for column in given.values() for c in columns_of(column, columns)}
    if Role.MESSAGES in given:
        return chosen
    if not given and (found := _conversations(profiles)):
        labelled = task is Task.CLASSIFICATION and answers_seen.labels_in_conversations(found.column, table)
        if task is Task.GENERATION or labelled:
            return {Role.MESSAGES: (found.column, "It holds conversations.")}
    for role in _search_order(task):
        if role in chosen:
            continue
        free = [p for p in profiles if p.column not in used]
        if found_role := _find(role, task, free):
            chosen[role] = found_role
            used.update(columns_of(found_role[0], columns))
    return {role: chosen[role] for role in TASK_ROLES[task] if role in chosen}


def _search_order(task: Task) -> tuple[Role, ...]:
    if task is Task.QA:
        return (Role.QUESTION, Role.TARGET, Role.CONTEXT)
    return (Role.TARGET, *(r for r in TASK_ROLES[task] if r is not Role.TARGET))


def _find(role: Role, task: Task, free: Sequence[Profile]) -> tuple[str, str] | None:
    unlike = NO_TEXT if role is not Role.TARGET else (Kind.ID, Kind.DATE, Kind.MESSAGES)
    if found := _named(free, _aliases(role, task), *unlike):
        return found.column, f"Its name says so: {found.column}."
    return _by_content(role, task, free)


def _aliases(role: Role, task: Task) -> str:
    return {
        (Role.SOURCE, Task.CLASSIFICATION): f"{TEXT} {DOCUMENT} {QUESTION} title {PROMPT}",
        (Role.SOURCE, Task.MULTILABEL): f"{TEXT} {DOCUMENT} {QUESTION} title",
        (Role.TARGET, Task.MULTILABEL): f"{LABEL_SETS} {LABEL} {TARGET} {ANSWER}",
        (Role.SOURCE, Task.SUMMARIZATION): f"{DOCUMENT} {TEXT} {CONTEXT}",
        (Role.TARGET, Task.CLASSIFICATION): f"{LABEL} {LABEL_SETS} {TARGET} {ANSWER} {COMPLETION}",
        (Role.TARGET, Task.SUMMARIZATION): f"{SUMMARY} {TARGET} {LABEL} abstract headline title",
        (Role.CONTEXT, Task.QA): CONTEXT,
        (Role.QUESTION, Task.QA): f"{QUESTION} prompt input",
        (Role.TARGET, Task.QA): f"{ANSWER} {TARGET} {COMPLETION} {LABEL}",
        (Role.PROMPT, Task.GENERATION): f"{PROMPT} {QUESTION} input {TEXT} {DOCUMENT}",
        (Role.TARGET, Task.GENERATION): f"{COMPLETION} {ANSWER} {SUMMARY} {LABEL}",
    }[role, task]


def _by_content(role: Role, task: Task, free: Sequence[Profile]) -> tuple[str, str] | None:
    if role is Role.TARGET and task.has_labels:
        labels = _labels_by_content(free)
        if len(labels) != 1:
            return None
        return labels[0].column, f"{labels[0].distinct} short values repeat in it."
    if role in (Role.TARGET, Role.QUESTION):
        return None
    longest = _longest(free)
    return (longest.column, "It holds the longest texts.") if longest else None


def _labels_by_content(profiles: Sequence[Profile]) -> list[Profile]:
    """Columns whose values repeat; numbers only where no words do, those named like ids (label_id, yes_no)
    only where nothing else does."""
    choices = options.of(profiles)
    free = [p for p in profiles if p not in choices]
    sets = [p for p in free if p.kind is Kind.LABELS]
    words = [p for p in free if p.kind is Kind.CATEGORY and p.distinct > 1] + sets
    numbers = [p for p in free if p.kind is Kind.NUMBER and 1 < p.distinct <= 10 and p.few_values]
    return words or numbers or list(filter(_is_label_named_as_id, free))


def _is_label_named_as_id(found: Profile) -> bool:
    """Whether the values repeat as no ids do, and the name is a label's or the values are words."""
    repeats = found.kind is Kind.ID and found.few_values and 1 < found.distinct <= MOST_LABELS
    stem = re.sub(r"_(ids?|idx|index|no|nr|number|key)$", "", found.name)
    return repeats and (found.worded or stem in LABEL.split() or stem in TARGET.split())


def _source(profiles: Sequence[Profile], target: Profile) -> Profile | None:
    free = [p for p in profiles if p is not target]
    return _named(free, f"{TEXT} {DOCUMENT} {QUESTION} {CONTEXT}", *NO_TEXT, Kind.NUMBER) or _longest(free)


def _longest(profiles: Sequence[Profile]) -> Profile | None:
    texts = [p for p in profiles if p.kind is Kind.TEXT]
    return max(texts, key=lambda p: p.length, default=None)


def _conversations(profiles: Sequence[Profile]) -> Profile | None:
    """The column of conversations, by its name when there are several."""
    found = [p for p in profiles if p.kind is Kind.MESSAGES]
    return _named(found, MESSAGES) or (found[0] if len(found) == 1 else None)


def _quoted(found: Profile) -> str:
    return repr(found.column)
