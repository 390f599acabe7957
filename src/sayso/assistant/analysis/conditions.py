"""Conditions and values in a question."""

from sayso.assistant.analysis import words
from sayso.assistant.analysis.asked import Asked, Unclear
from sayso.assistant.analysis.plans import Filter
from sayso.assistant.analysis.tables import Column, Value


def conditions(asked: Asked) -> None:
    """Read 'price over 100', 'between 5 and 10', 'city is Kiel', 'city is not Kiel'."""
    for at in range(len(asked.tokens)):
        if not asked.free(at):
            continue
        for phrase, sign in words.COMPARISONS:
            if asked.keys(at, len(phrase)) == phrase and asked.free(at, len(phrase)):
                number = asked.number(at + len(phrase))
                if number is not None:
                    column = _compared(asked, at)
                    asked.use(at, len(phrase) + 1)
                    asked.filters.append(Filter(column, sign, (number,)))
                    break
        if asked.free(at) and asked.key(at) in ("zwischen", "between"):
            low, high = asked.number(at + 1), asked.number(at + 3)
            if low is not None and high is not None and asked.key(at + 2) in words.AND:
                column = _compared(asked, at)
                asked.use(at, 4)
                asked.filters.append(Filter(column, "between", (low, high)))
    for at in range(len(asked.tokens)):
        if asked.free(at):
            _stated(asked, at)


def _compared(asked: Asked, at: int) -> Column:
    """Return the column of numbers that a comparison is about: beside it, or the only one."""
    behind = next((n for n in range(at, len(asked.tokens)) if asked.is_number(n)), at) + 1
    found = asked.names.find(asked.tokens, behind) if asked.free(behind) else None
    if found and found[0].is_number:  # 'more than 5 likes'
        asked.use(behind, found[1])
        asked.mentioned += 1
        return found[0]
    for back in range(1, 6):
        place = at - back
        found = asked.names.find(asked.tokens, place) if place >= 0 else None
        if found and found[0].is_number and place + found[1] <= at:
            between = range(place + found[1], at)
            if all(asked.key(n) in words.IS | words.FILLERS for n in between):
                # What is calculated may be what is compared: 'sum of revenue over 100'.
                if asked.free(place) and not _is_target(asked, place):
                    asked.use(place, found[1])
                    for n in between:
                        asked.use(n)
                asked.mentioned += 1
                return found[0]
    numbers = [column for column in asked.table.columns if column.is_number]
    if len(numbers) != 1:
        raise Unclear
    return numbers[0]


def _is_target(asked: Asked, at: int) -> bool:
    """Whether a column is what a calculation before it is made of."""
    before = at - 1
    while before >= 0 and asked.key(before) in words.FILLERS:
        before -= 1
    return before >= 0 and asked.key(before) in words.OPERATIONS


def _stated(asked: Asked, at: int) -> None:
    """Read '<column> [is] [not] <value>' and '<column> = 5'."""
    found = asked.names.find(asked.tokens, at)
    if not found or not asked.free(at, found[1]):
        return
    column, length = found
    place = asked.skip(at + length, words.IS | words.OF)
    said_is = any(asked.key(n) in words.IS for n in range(at + length, place))
    negated = asked.free(place) and asked.key(place) in words.NOT
    place += negated
    if not asked.free(place):
        return
    values, taken = _stated_values(asked, column, place, said_is or negated)
    if values:
        asked.use(at, place - at + taken)
        asked.mentioned += 1
        asked.filters.append(Filter(column, "<>" if negated else "=", tuple(values)))


def _stated_values(asked: Asked, column: Column, at: int, said: bool) -> tuple[list[Value], int]:
    if column.kind in ("whole", "number"):
        number = asked.number(at)
        return ([number], 1) if number is not None else ([], 0)
    if column.kind == "truth" and asked.key(at) in ("true", "wahr", "false", "falsch"):
        return [asked.key(at) in ("true", "wahr")], 1
    if column.kind != "text":
        return [], 0
    known = _several(asked, column, at)
    if known[0]:
        return known
    # A value that is not known by all of them is taken only where it is said to be one.
    quoted = asked.tokens[at].kind == "quoted"
    if (quoted or said) and not column.values and column.different:
        return [asked.tokens[at].text], 1
    return [], 0


def _several(asked: Asked, column: Column | None, at: int) -> tuple[list[Value], int]:
    """Read 'Kiel', 'Kiel or Lübeck', 'Kiel, Lübeck und Bremen' from a token on."""
    made: list[Value] = []
    place = at
    while asked.free(place):
        found = asked.values.find(asked.tokens, place, column)
        if not found or not asked.free(place, found[2]):
            break
        column = found[0]
        made += found[1]
        end = place + found[2]
        place = end + 1 if asked.key(end) in words.AND and asked.free(end) else end
        if place == end:
            return made, end - at
    return made, max(0, place - at - 1) if made else 0


def _is_small(asked: Asked, at: int) -> bool:
    """Whether a word is a small one, or a calculation, and not a value: 'age in IT', 'it is'."""
    token = asked.tokens[at]
    is_calculation = token.key in words.OPERATIONS
    if token.kind == "quoted" or not (is_calculation or token.key in words.FILLERS):
        return False
    found = asked.values.find(asked.tokens, at)
    if not found or found[2] > 1:
        return True
    as_written = token.text in found[1] and token.text != token.text.lower()
    follows = asked.key(at - 1) in words.IN | words.NOT
    if (as_written and (is_calculation or at == 0)) or (follows and not as_written):
        raise Unclear
    return not as_written


def values(asked: Asked) -> None:
    """Read values that stand alone, as 'in Kiel'."""
    for at in range(len(asked.tokens)):
        token = asked.tokens[at]
        if not asked.free(at):
            continue
        if _is_small(asked, at):
            continue
        found = asked.values.find(asked.tokens, at)
        if not found or not asked.free(at, found[2]):
            continue
        if asked.names.named(token.key) and found[2] == 1:
            continue  # it is a column's name first
        asked.mentioned += 1
        column = found[0]
        values, taken = _several(asked, column, at)
        before = at - 1
        while before >= 0 and asked.key(before) in words.ARTICLES | words.IN:
            before -= 1
        negated = asked.free(before) and asked.key(before) in words.NOT if before >= 0 else False
        if negated:
            asked.use(before)
        asked.use(at, taken)
        asked.filters.append(Filter(column, "<>" if negated else "=", tuple(values)))
