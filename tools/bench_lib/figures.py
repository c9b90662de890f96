"""A figure: the median over rounds with its spread, or the reason why there is none. Pure."""
import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Figure:
    value: float | None = None
    low: float | None = None
    high: float | None = None
    detail: str = ""   # what it was made of
    missing: str = ""  # why there is no value


def of_rounds(values, detail=""):
    return Figure(statistics.median(values), min(values), max(values), detail)


def not_measured(why):
    return Figure(missing=why)


def ratio(ours, theirs, unit):
    """Each round's own quotient, so that a slow minute, which hits both, cancels."""
    detail = f"{statistics.median(ours):.4g} / {statistics.median(theirs):.4g} {unit}"
    return of_rounds([mine / other for mine, other in zip(ours, theirs, strict=True)], detail)


def to_json(figures):
    return {key: dataclasses.asdict(figure) for key, figure in figures.items()}


def from_json(figures):
    return {key: Figure(**fields) for key, fields in figures.items()}
