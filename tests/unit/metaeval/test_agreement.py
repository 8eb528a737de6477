from healing_eval.metaeval.agreement import raw_agreement


def test_agreement_is_the_share_of_items_on_which_all_said_the_same() -> None:
    items = [{"a": 1, "b": 1}, {"a": 1, "b": 0}, {"a": 1}, {"a": 0, "b": 0, "c": 1}]

    found = raw_agreement("helpfulness", items)

    assert found is not None
    assert (found.share.estimate, found.share.n) == (1 / 3, 3)
    assert found.share.low < 1 / 3 < found.share.high


def test_without_an_item_that_two_people_judged_there_is_no_agreement_to_measure() -> None:
    assert raw_agreement("helpfulness", [{"a": 1}, {}]) is None
