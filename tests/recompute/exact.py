"""Fractions, and how a published figure is rounded: once, half away from zero."""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from fractions import Fraction

Number = int | Fraction

# Of logarithms and roots, which no fraction holds: far more digits than are published.
DEEP = Context(prec=80)


def fraction(given: object) -> Fraction:
    """What a cell says: an integer or a decimal, exactly."""
    return Fraction(str(given))


def maybe_fraction(given: object) -> Fraction | None:
    """What a cell says, if it says anything."""
    return None if given is None else fraction(given)


def whole(given: object) -> int:
    """An integer, also where the column is a decimal."""
    number = fraction(given)
    assert number.denominator == 1, given
    return number.numerator


def maybe_whole(given: object) -> int | None:
    """An integer, if the cell says anything."""
    return None if given is None else whole(given)


def rounded(number: Number | None, digits: int = 8) -> Fraction | None:
    """A figure as it is published: half away from zero."""
    if number is None:
        return None
    scaled = Fraction(number) * 10**digits
    steps = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    return Fraction(steps if scaled >= 0 else -steps, 10**digits)


def ratio(above: Number | None, below: Number | None, digits: int = 8) -> Fraction | None:
    """A quotient as it is published; null where a part is unknown or nothing is there to divide by."""
    if above is None or below is None or below == 0:
        return None
    return rounded(Fraction(above) / Fraction(below), digits)


def product(one: Number | None, other: Number | None, digits: int = 8) -> Fraction | None:
    """A product as it is published, such as an amount at a price."""
    return None if one is None or other is None else rounded(Fraction(one) * Fraction(other), digits)


def total(numbers: Iterable[int | None]) -> int | None:
    """A sum, unknown where one of the numbers is; of none it is unknown too."""
    found = list(numbers)
    known = [number for number in found if number is not None]
    return sum(known) if known and len(known) == len(found) else None


def median(numbers: Sequence[Number]) -> Fraction | None:
    """The middle one, of an even number the mean of the middle two."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return Fraction(ordered[middle])
    return Fraction(ordered[middle - 1] + ordered[middle]) / 2


def nearest_rank(numbers: Sequence[Number], percent: int) -> Fraction | None:
    """The smallest that at least so many percent do not exceed."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    place = -(-percent * len(ordered) // 100)
    return Fraction(ordered[max(place, 1) - 1])


def weighted_rank(pairs: Sequence[tuple[Number, Number]], percent: int) -> Fraction | None:
    """Of pairs of a figure and its weight the smallest figure up to which so many percent of all weight lie."""
    weight = sum((Fraction(of) for _, of in pairs), Fraction(0))
    if weight == 0:
        return None
    reached = Fraction(0)
    for figure, of in sorted(pairs):
        reached += of
        if reached * 100 >= weight * percent:
            return Fraction(figure)
    raise AssertionError("a part is more than the whole")


def logarithm(number: Fraction) -> Fraction:
    """The natural logarithm, to more digits than anything published."""
    quotient = DEEP.divide(Decimal(number.numerator), Decimal(number.denominator))
    return Fraction(DEEP.ln(quotient))


def root(number: Fraction) -> Fraction:
    """The square root, to more digits than anything published."""
    quotient = DEEP.divide(Decimal(number.numerator), Decimal(number.denominator))
    return Fraction(DEEP.sqrt(quotient))


def mean(numbers: Sequence[Number]) -> Fraction | None:
    """The mean, of none null."""
    return sum((Fraction(number) for number in numbers), Fraction(0)) / len(numbers) if numbers else None
