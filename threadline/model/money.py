"""Amounts of money as integers of minor units: no float ever holds one."""

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import NamedTuple

# ISO 4217: currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# Rounds nothing: what does not fit is an error.
_EXACT = Context(prec=19, traps=[Inexact, InvalidOperation])
_MOST = 1 << 63


def currency_code(text: str) -> str:
    """Return an ISO 4217 code in upper case; ValueError when it has not that form."""
    code = text.strip().upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise ValueError("not an ISO 4217 currency code, such as EUR")
    return code


_DIGITS = 20


class Money(NamedTuple):
    """An amount in minor units (cents of EUR, yen of JPY) and its ISO 4217 currency."""

    amount: int
    currency: str

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> "Money":
        """Make money of a decimal amount of major units; ValueError when it has more places than the currency, or 64 bits are too few."""
        code = currency_code(currency)
        exponent = _EXPONENTS.get(code, 2)
        try:
            minor = int(amount.quantize(Decimal((0, (1,), -exponent)), context=_EXACT).scaleb(exponent))
        except Inexact:
            raise ValueError(f"more decimal places than {code} has") from None
        except InvalidOperation:
            minor = _MOST
        if not -_MOST <= minor < _MOST:
            raise ValueError("too large for an amount")
        return cls(minor, code)

    def __str__(self) -> str:
        exponent = _EXPONENTS.get(self.currency, 2)
        return f"{Decimal(self.amount).scaleb(-exponent):.{exponent}f} {self.currency}"
