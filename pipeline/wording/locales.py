"""Numbers, shares, dates and lengths of time by the rules of a language, as CLDR has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

from features.core.time import DAY, HOUR

_LOCALES = {language: Locale.parse(locale) for language, locale in (("en", "en_GB"), ("fr", "fr_FR"))}
_NARROW, _NO_BREAK = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"
_SMALL = 0.0995
"""Shares that round to less than a tenth have a decimal."""
_TINY = 0.0005
_DEAR, _SMALL_NUMBER = 100.0, 9.95


@dataclass(frozen=True)
class Writing:
    """How figures are written in a language: ``en`` or ``fr``."""

    language: str

    @property
    def _locale(self) -> Locale:
        return _LOCALES[self.language]

    def whole(self, number: float) -> str:
        r"""Write a number without a fraction.

        >>> Writing("en").whole(1204), Writing("fr").whole(1204)
        ('1,204', '1\u202f204')
        """
        return str(format_decimal(round(number), locale=self._locale))

    def ordinal(self, number: int) -> str:
        """Write a place in an order, short.

        >>> [Writing("en").ordinal(place) for place in (1, 2, 3, 11, 23, 112)]
        ['1st', '2nd', '3rd', '11th', '23rd', '112th']
        >>> Writing("fr").ordinal(1), Writing("fr").ordinal(30)
        ('1er', '30e')
        """
        if self.language == "fr":
            return "1er" if number == 1 else f"{self.whole(number)}e"
        teens = number % 100 in (11, 12, 13)
        ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        return f"{self.whole(number)}{ending}"

    def number(self, number: float) -> str:
        r"""Write a number with the decimals that it has, up to two.

        >>> Writing("en").number(1204.5), Writing("fr").number(1204.5)
        ('1,204.5', '1\u202f204,5')
        """
        return str(format_decimal(round(number, 2), locale=self._locale))

    def cents(self, number: float) -> str:
        r"""Write a number with two decimals.

        >>> Writing("en").cents(1204.5), Writing("fr").cents(1204.5)
        ('1,204.50', '1\u202f204,50')
        """
        return str(format_decimal(number, "#,##0.00", locale=self._locale))

    def money(self, amount: float, currency: str | None) -> str:
        r"""Write an amount, with cents where it is small; without a currency as a number.

        >>> Writing("en").money(18.456, "EUR"), Writing("en").money(-2160.4, "EUR"), Writing("en").money(5, None)
        ('€18.46', '-€2,160', '5.00')
        >>> Writing("fr").money(18.456, "EUR"), Writing("fr").money(2160.4, "EUR")
        ('18,46\xa0€', '2\u202f160\xa0€')
        """
        digits = "0.00" if abs(amount) < _DEAR else "0"
        pattern = self._locale.currency_formats["standard"].pattern.replace("0.00", digits)
        if currency is None:
            return str(format_decimal(amount, f"#,##{digits}", locale=self._locale))
        return str(format_currency(amount, currency, pattern, locale=self._locale, currency_digits=False))

    def tenth(self, number: float) -> str:
        r"""Write a number with one decimal below 10, and none from there on.

        >>> Writing("en").tenth(4.26), Writing("fr").tenth(4.26), Writing("en").tenth(1204.5)
        ('4.3', '4,3', '1,204')
        """
        pattern = "#,##0.0" if abs(number) < _SMALL_NUMBER else "#,##0"
        return str(format_decimal(number, pattern, locale=self._locale))

    def share(self, share: float) -> str:
        r"""Write a share in percent, with a decimal below a tenth.

        >>> Writing("en").share(0.313), Writing("en").share(0.0121), Writing("fr").share(0.0121)
        ('31%', '1.2%', '1,2\u202f%')
        >>> Writing("en").share(0.0002), Writing("en").share(0.0)
        ('<0.1%', '0%')
        """
        if 0.0 < share < _TINY:
            return "<" + self.share(0.001)
        pattern = self._locale.percent_formats[None].pattern
        digits = "#,##0.0" if 0.0 < share < _SMALL else "#,##0"
        written = format_percent(share, pattern.replace("#,##0", digits), locale=self._locale)
        return str(written).replace(_NO_BREAK, _NARROW)

    def percent(self, share: float) -> str:
        r"""Write a share in percent with one decimal, so that all have the same.

        >>> Writing("en").percent(0.2), Writing("fr").percent(0.2)
        ('20.0%', '20,0\u202f%')
        """
        pattern = self._locale.percent_formats[None].pattern.replace("#,##0", "#,##0.0")
        return str(format_percent(share, pattern, locale=self._locale)).replace(_NO_BREAK, _NARROW)

    def day(self, day: date) -> str:
        """Write a day.

        >>> Writing("en").day(date(2026, 6, 1)), Writing("fr").day(date(2026, 6, 1))
        ('1 June 2026', '1er juin 2026')
        """
        written = str(format_date(day, "d MMMM y", locale=self._locale))
        return f"1er{written[1:]}" if self.language == "fr" and day.day == 1 else written

    def moment(self, moment: datetime, zone: str) -> str:
        """Write a moment (UTC) by the clock of a time zone, which is named.

        >>> Writing("fr").moment(datetime(2026, 6, 30, 23, 59), "Europe/Paris")
        '1er juillet 2026 à 01:59 (Europe/Paris)'
        """
        local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
        return f"{self.day(local.date())}{' à ' if self.language == 'fr' else ', '}{local:%H:%M} ({zone})"

    def month(self, day: date) -> str:
        """Write the month of a day.

        >>> Writing("en").month(date(2026, 3, 9)), Writing("fr").month(date(2026, 3, 9))
        ('March 2026', 'mars 2026')
        """
        return str(format_date(day, "LLLL y", locale=self._locale))

    def short_month(self, day: date) -> str:
        """Write the month of a day short, without its year.

        >>> Writing("en").short_month(date(2026, 2, 9)), Writing("fr").short_month(date(2026, 2, 9))
        ('Feb', 'févr.')
        """
        return str(format_date(day, "LLL", locale=self._locale))

    def length(self, length: timedelta) -> str:
        r"""Write a length of time, in days where it is whole days.

        >>> Writing("en").length(timedelta(days=1)), Writing("fr").length(timedelta(days=30))
        ('1 day', '30\xa0jours')
        """
        if length % DAY:
            return self.hours(length / HOUR)
        return str(format_unit(length // DAY, "duration-day", locale=self._locale))

    def hours(self, hours: float) -> str:
        r"""Write a number of hours.

        >>> Writing("en").hours(24), Writing("fr").hours(24)
        ('24 hours', '24\xa0heures')
        """
        return str(format_unit(hours, "duration-hour", locale=self._locale))
