"""Numbers as people read them. English and Japanese write these alike; units that differ are in the catalogue."""

from decimal import ROUND_HALF_UP, Decimal

MINUS = "\u2212"
_JOINER = "\u2060"  # without it browsers break the line between a sign and its amount
_SYMBOLS = {"JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
_WHOLE_ONLY = frozenset({"JPY", "KRW"})
_BYTE_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def percent(fraction: float) -> str:
    """0.737 -> '73.7' (the sign % is the catalogue's, without a space before it)."""
    return f"{fraction * 100:.1f}"


def points(difference: float) -> str:
    """0.163 -> '+16.3', in percentage points."""
    shown = f"{abs(difference) * 100:.1f}"
    return shown if float(shown) == 0 else f"{'+' if difference > 0 else MINUS}{shown}"


def money(amount: Decimal, currency: str, signed: bool = True) -> str:
    """Decimal('-1234567.8') JPY -> '−¥1,230,000': three figures, since no estimate bears more."""
    smallest = 0 if currency in _WHOLE_ONLY else -2
    exponent = max(smallest, amount.adjusted() - 2) if amount else smallest
    rounded = amount.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_UP)
    sign = MINUS + _JOINER if rounded < 0 else "+" + _JOINER if signed and rounded > 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, currency + ' ')}{abs(rounded):,.{max(0, -exponent)}f}"


def currency_symbol(currency: str) -> str:
    """What stands before an amount."""
    return _SYMBOLS.get(currency, currency + " ")


def byte_unit(largest: float) -> tuple[int, str]:
    """(divisor, unit) with which `largest` bytes, written with one decimal, has one to three digits before it."""
    # 999,950 is written 1.0 MB: as kB it would round to a thousand.
    return next(((size, unit) for size, unit in _BYTE_UNITS if largest >= _least_of(size)), (1, "B"))


def _least_of(size: int) -> float:
    return size * (1 if size == 1000 else 0.99995)
