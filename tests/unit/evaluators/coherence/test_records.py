from __future__ import annotations

from healing_eval.evaluators.coherence.records import MAX_RECORDS, Records, records_of
from healing_eval.testing.builders import a_conversation, a_tool_call, a_turn


def test_records_are_found_at_any_reasonable_depth() -> None:
    deep = {"page": [[{"name": "one"}, {"name": "two", "n": 3}]]}
    turn = a_turn(1, "assistant", tool_calls=(a_tool_call(result=deep), a_tool_call(error="broken")))

    assert records_of(0, a_conversation(turns=[turn])) == [{"name": "one"}, {"name": "two"}]


def test_a_single_object_is_no_list_of_records() -> None:
    turn = a_turn(1, "assistant", tool_calls=(a_tool_call(result=[{"name": "one"}]),))

    assert records_of(0, a_conversation(turns=[turn])) == []


def test_very_deep_results_are_left_alone() -> None:
    nested: object = [{"name": "one"}, {"name": "two"}]
    for _ in range(50):
        nested = {"in": nested}
    turn = a_turn(1, "assistant", tool_calls=(a_tool_call(result=nested),))

    assert records_of(0, a_conversation(turns=[turn])) == []


def test_the_newest_records_stay() -> None:
    records = Records()

    records.add([{"name": f"place number{number}"} for number in range(MAX_RECORDS + 1)])

    assert records.named_in(["place", "number0"]) == []
    assert len(records.named_in(["the", "place", f"number{MAX_RECORDS}"])) == 1


def test_plain_words_count_only_where_they_tell_records_apart() -> None:
    records = Records()
    records.add([{"name": name, "state": "open"} for name in ("coupa", "valero", "tiny")])

    named = records.named_in(["coupa", "is", "open"])

    assert [mention.words for mention in named] == [("coupa",)]


def test_amounts_need_a_column_of_one_unit() -> None:
    records = Records()
    records.add([{"far": "3 miles", "wait": "5 minutes"}, {"far": "4 miles", "wait": "unknown"}])

    assert list(records.unknown_amounts("5 miles, 9 minutes, 3 miles")) == ["5 miles"]
    assert list(Records().unknown_amounts("5 miles")) == []


def test_a_text_without_the_first_word_of_any_value_names_none() -> None:
    records = Records()
    records.add([{"name": "jing jing"}, {"name": "big mall"}])

    assert records.beginnings_in({"the", "big", "city"}) == ["big"]
    assert records.beginnings_in({"the", "mall"}) == []
    assert Records().beginnings_in({"big"}) == []


def test_a_value_without_letters_names_nothing() -> None:
    records = Records()
    records.add([{"when": "2025-03-04"}, {"when": "17:30"}])

    assert records.named_in(["2025", "03", "04"]) == []
