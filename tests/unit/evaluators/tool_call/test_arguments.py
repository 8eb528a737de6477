"""How is a place in the arguments written?"""

import pytest

from healing_eval.evaluators.tool_call.arguments import pointer


@pytest.mark.parametrize(("path", "text"), [(["a"], "/a"), (["a/b"], "/a~1b"), (["~", 0, "c"], "/~0/0/c"), ([], "")])
def test_a_path_is_written_as_json_pointer(path, text):
    assert pointer(path) == text
