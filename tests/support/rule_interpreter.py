"""What a rule means, slowly and obviously: plain Python over the dictionaries that YAML gives.

Written from the documentation of the rules, without the types or the compiler of clvspark: the tests compare both.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Any

Person = dict[str, Any]
Rule = dict[str, Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def is_member(
    definition: dict[str, Any], person: Person, today: date, others: dict[str, dict[str, Any]]
) -> bool:
    """Whether a person is in an audience. In: its definition, and those that it builds on, by id."""
    inside = holds(definition["include"], person, today, others)
    if definition.get("stay") and definition["id"] in person["member_of"]:
        inside = inside or holds(definition["stay"], person, today, others)
    if definition.get("exclude") and holds(definition["exclude"], person, today, others):
        return False
    return inside


def holds(rule: Rule, person: Person, today: date, others: dict[str, dict[str, Any]]) -> bool:
    ((key, told),) = rule.items()
    if key in ("all", "any", "none"):
        found = [holds(part, person, today, others) for part in told]
        return {"all": all(found), "any": any(found), "none": not any(found)}[key]
    if key == "audience":
        return is_member(others[told["id"]], person, today, others)
    return _CONDITIONS[key](told, person, datetime.combine(today, time(), UTC))


def in_bounds(value: Any, told: dict[str, Any]) -> bool:
    """No value is within no bounds; without bounds every value is."""
    if value is None:
        return False
    value = float(value)
    return (
        (told.get("at_least") is None or value >= told["at_least"])
        and (told.get("at_most") is None or value <= told["at_most"])
        and (told.get("above") is None or value > told["above"])
        and (told.get("below") is None or value < told["below"])
    )


def one_of(value: Any, told: Any) -> bool:
    return value is not None and value in (told if isinstance(told, list) else [told])


def _filtered(events: list[Person], told: dict[str, Any]) -> list[Person]:
    """Events of the type that pass the filters; of orders, ``lines`` are those that do."""
    found = []
    for event in events:
        if "type" in told and not one_of(event["type"], told["type"]):
            continue
        asks = "type" not in told or "status" in told or one_of("order_cancelled", told["type"])
        if event["type"] == "order" and event.get("status") == "cancelled" and not asks:
            continue
        names = {
            "channel": "channel",
            "campaign": "campaign_id",
            "store": "store_id",
            "status": "status",
        }
        if any(n in told and not one_of(event.get(c), told[n]) for n, c in names.items()):
            continue
        if "each" in told and not in_bounds(event.get(told["each"]["of"]), told["each"]):
            continue
        lines = event["lines"]
        for name in ("product", "category"):
            if name in told:
                lines = [line for line in lines if one_of(line[name], told[name])]
        if ("product" in told or "category" in told) and not lines:
            continue
        found.append({**event, "lines": lines})
    return found


def _in_window(at: datetime, told: dict[str, Any], now: datetime) -> bool:
    if at >= now:
        return False
    back = told.get("within_days", 0) * DAY + told.get("within_hours", 0) * HOUR
    if back and at < now - back:
        return False
    if "until_days_ago" in told and at >= now - told["until_days_ago"] * DAY:
        return False
    if "since" in told and at.date() < told["since"]:
        return False
    return "until" not in told or at.date() <= told["until"]


def _past(person: Person, now: datetime) -> list[Person]:
    return [event for event in person["events"] if event["at"] < now]


def _event(told: dict[str, Any], person: Person, now: datetime) -> bool:
    found = [e for e in _filtered(_past(person, now), told) if _in_window(e["at"], told, now)]
    return in_bounds(len(found), told)


def _amount(told: dict[str, Any], person: Person, now: datetime) -> bool:
    found = [e for e in _filtered(_past(person, now), told) if _in_window(e["at"], told, now)]
    if "product" in told or "category" in told:
        amounts = [sum(line[told["of"]] for line in event["lines"]) for event in found]
    else:
        amounts = [event[told["of"]] for event in found if event.get(told["of"]) is not None]
    by = told.get("by", "sum")
    if by == "sum":
        return in_bounds(sum(amounts), told)
    if not amounts:
        return False
    if by == "average":
        return in_bounds(float(sum(amounts)) / len(amounts), told)
    return in_bounds({"minimum": min, "maximum": max}[by](amounts), told)


def _occurrence(told: dict[str, Any], person: Person, now: datetime, choose: Any) -> bool:
    found = _filtered(_past(person, now), told)
    if not found:
        return False
    at = choose(event["at"] for event in found)
    ids = {event["id"] for event in found if event["at"] == at}
    there = [event for event in person["events"] if event["id"] in ids]
    return _in_window(at, told, now) and bool(_filtered(there, told.get("was", {})))


def _gap_allows(step: dict[str, Any], gap: timedelta) -> bool:
    least = step.get("after_days", 0) * DAY + step.get("after_hours", 0) * HOUR
    most = step.get("within_days", 0) * DAY + step.get("within_hours", 0) * HOUR
    return gap > timedelta(0) and gap >= least and (not most or gap <= most)


def _sequence(told: dict[str, Any], person: Person, now: datetime) -> bool:
    past = _past(person, now)
    of_steps = []
    for step in told["steps"]:
        of_step = [e["at"] for e in _filtered(past, step) if _in_window(e["at"], told, now)]
        of_steps.append(sorted(set(of_step)))
    for chain in product(*of_steps):
        gaps = zip(told["steps"][1:], chain, chain[1:], strict=False)
        if all(_gap_allows(step, after - before) for step, before, after in gaps) and (
            "then_not" not in told or _is_left_open(chain[-1], told["then_not"], past, now)
        ):
            return True
    return False


def _is_left_open(last: datetime, step: dict[str, Any], past: list[Person], now: datetime) -> bool:
    most = step.get("within_days", 0) * DAY + step.get("within_hours", 0) * HOUR
    if most and now - last < most:
        return False
    return not any(_gap_allows(step, event["at"] - last) for event in _filtered(past, step))


def _attribute(told: dict[str, Any], person: Person, now: datetime) -> bool:
    value = person.get(told["name"])
    if told.get("is_known") is False:
        return value is None
    if value is None:
        return False
    if isinstance(value, bool):
        return value == told.get("is_true", True)
    if isinstance(value, list):
        return _compare_set(value, told)
    if isinstance(value, date):
        return _compare_date(value, told, now.date())
    return _compare_text(value, told) if isinstance(value, str) else _compare_number(value, told)


def _compare_number(value: Any, told: dict[str, Any]) -> bool:
    return in_bounds(value, told) and ("any_of" not in told or one_of(value, told["any_of"]))


def _compare_text(value: str, told: dict[str, Any]) -> bool:
    return (
        ("any_of" not in told or one_of(value, told["any_of"]))
        and ("none_of" not in told or not one_of(value, told["none_of"]))
        and value.startswith(told.get("starts_with", ""))
        and told.get("contains", "") in value
    )


def _compare_set(value: list[str], told: dict[str, Any]) -> bool:
    return (
        ("any_of" not in told or any(text in value for text in told["any_of"]))
        and ("all_of" not in told or all(text in value for text in told["all_of"]))
        and ("none_of" not in told or not any(text in value for text in told["none_of"]))
    )


def _compare_date(value: date, told: dict[str, Any], today: date) -> bool:
    if "anniversary_within_days" in told:
        coming = [today + n * DAY for n in range(told["anniversary_within_days"] + 1)]
        if not any(_returns_on(value, day) for day in coming):
            return False
    ago = (today - value).days
    return (
        ("since" not in told or value >= told["since"])
        and ("until" not in told or value <= told["until"])
        and ("at_least_days_ago" not in told or ago >= told["at_least_days_ago"])
        and ("at_most_days_ago" not in told or ago <= told["at_most_days_ago"])
    )


def _returns_on(value: date, day: date) -> bool:
    is_leap_day = (value.month, value.day) == (2, 29)
    has_leap_day = day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)
    if is_leap_day and not has_leap_day:
        return (day.month, day.day) == (2, 28)
    return (value.month, value.day) == (day.month, day.day)


def _survey(told: dict[str, Any], person: Person, now: datetime) -> bool:
    answers = [answer for answer in person["answers"] if answer["at"] < now]
    if not answers:
        return False
    newest = max(answers, key=lambda answer: (answer["at"], answer["id"]))
    if "within_days" in told and (now.date() - newest["at"].date()).days > told["within_days"]:
        return False
    return told.get("score_at_least", 0) <= newest["score"] <= told.get("score_at_most", 10)


def _decile(told: dict[str, Any], person: Person, _: datetime) -> bool:
    scope = "".join(f" {n}={told[n]}" for n in ("channel", "category") if n in told)
    return in_bounds(person["deciles"].get(told["metric"] + scope), told)


def _consent(told: dict[str, Any], person: Person, _: datetime) -> bool:
    allowed = person["consent"].get(told["channel"], False)
    return allowed and (not told.get("contactable") or person["contactable"][told["channel"]])


def _bucket(told: dict[str, Any], person: Person, _: datetime) -> bool:
    start = round(told.get("start", 0) * 100)
    return start <= person["buckets"][told["salt"]] < start + round(told["percent"] * 100)


_CONDITIONS = {
    "event": _event,
    "amount": _amount,
    "first": lambda told, person, now: _occurrence(told, person, now, min),
    "last": lambda told, person, now: _occurrence(told, person, now, max),
    "sequence": _sequence,
    "attribute": _attribute,
    "survey": _survey,
    "decile": _decile,
    "value": lambda told, person, _: in_bounds(person["values"].get(told["name"]), told),
    "stage": lambda told, person, _: one_of(
        person["values"].get("lifecycle_stage"), told["any_of"]
    ),
    "consent": _consent,
    "bucket": _bucket,
    "saved": lambda told, person, _: told["id"] in person["saved"],
}
