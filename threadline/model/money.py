"""Amounts of money as integers of minor units: no float ever holds one."""

from decimal import Decimal
from typing import NamedTuple

# ISO 4217: currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


class Money(NamedTuple):
    """An amount in minor units (cents of EUR, yen of JPY) and its ISO 4217 currency."""

    amount: int
    currency: str

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> "Money":
        """Make money of a decimal amount of major units; ValueError when it has more places than the currency."""
        code = currency.strip().upper()
        if len(code) != 3 or not code.isalpha():
            raise ValueError(f"{currency!r} is not an ISO 4217 currency code")
        minor = amount.scaleb(_EXPONENTS.get(code, 2))
        if minor != minor.to_integral_value():
            raise ValueError(f"{amount} has more decimal places than {code} has")
        return cls(int(minor), code)

    def __str__(self) -> str:
        exponent = _EXPONENTS.get(self.currency, 2)
        return f"{Decimal(self.amount).scaleb(-exponent):.{exponent}f} {self.currency}"
