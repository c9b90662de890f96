"""Figures beside their goals, and beside those of a kept run. Pure."""
import dataclasses

from bench_lib.figures import not_measured


def number(value, unit):
    return f"{value:.3g} {unit}" if unit != "x" else f"{value:.2f} x"


def goal_text(goal):
    if goal.bound is None:
        return ""
    return ("<= " if goal.at_most else ">= ") + number(goal.bound, goal.unit) + (" (stretch)" if goal.stretch else "")


def figure_text(goal, figure):
    if figure.missing:
        return ""
    spread = f"({figure.low:.3g} to {figure.high:.3g})" if figure.low != figure.high else ""
    return " ".join(filter(None, (number(figure.value, goal.unit), spread, f"[{figure.detail}]" if figure.detail else "")))


def verdict(goal, figure):
    if figure.missing:
        return f"not measured: {figure.missing}"
    if goal.bound is None:
        return ""
    reached = figure.value <= goal.bound if goal.at_most else figure.value >= goal.bound
    return "reached" if reached else f"missed, at {100 * figure.value / goal.bound:.0f} % of it"


def table(goals, figures):
    """Lines of a Markdown table that is also read well as it is, of the goals that there are figures or excuses for."""
    rows = [("", "goal", "figure", "verdict")]
    rows += [(goal.what, goal_text(goal), figure_text(goal, figures[goal.key]), verdict(goal, figures[goal.key]))
             for goal in goals if goal.key in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["| " + " | ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[3]]) + " |" for row in rows]
    return [lines[0], "|" + "---|" * 4, *lines[1:]]


@dataclasses.dataclass(frozen=True)
class Change:
    goal: object
    now: object
    kept: object

    def __str__(self):
        return f"{self.goal.what}: {figure_text(self.goal, self.kept)} -> {figure_text(self.goal, self.now)}"


NOTHING = not_measured("not among its figures")
LEAST_CHANGE = 1.02  # by which figures of two runs differ anyway, though the rounds of each agree better


def beyond_spread(goal, better, worse):
    """Whether each median lies on its own side of all rounds of the other run, and not by next to nothing."""
    if max(better.value, worse.value) < LEAST_CHANGE * min(better.value, worse.value):
        return False
    if goal.at_most:
        return better.value < worse.low and worse.value > better.high
    return better.value > worse.high and worse.value < better.low


def changes(goals, now, kept):
    """The ratios that became slower and those that became faster than in a kept run, and those that only one of both has."""
    slower, faster, missing = [], [], []
    for goal in goals:
        if goal.unit not in ("x", "%"):
            continue
        pair = Change(goal, now[goal.key], kept.get(goal.key, NOTHING))
        if pair.kept.missing or pair.now.missing:
            missing += [goal] if bool(pair.kept.missing) != bool(pair.now.missing) else []
        elif beyond_spread(goal, pair.kept, pair.now):
            slower.append(pair)
        elif beyond_spread(goal, pair.now, pair.kept):
            faster.append(pair)
    return slower, faster, missing
