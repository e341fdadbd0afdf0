"""manage.py create_token speaks to programs on stdout and to people on stderr."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import ApiToken, User
from accounts.services.use_token import use_token


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_stdout_carries_the_token_and_nothing_else(reviewer: User) -> None:
    out, err = run("reviewer", "--name", "ci", "--scope", "read, decide")
    assert out.count("\n") == 1
    assert use_token(presented=out.strip()).scopes == {"read", "decide"}
    assert "read, decide" in err
    assert out.strip() not in err


def test_scopes_that_are_given_one_by_one_add_up(reviewer: User) -> None:
    out, _ = run("reviewer", "--name", "ci", "--scope", "read", "--scope", "decide")
    assert use_token(presented=out.strip()).scopes == {"read", "decide"}


def test_the_user_name_is_found_in_any_case(reviewer: User) -> None:
    out, _ = run("Reviewer", "--name", "ci")
    assert use_token(presented=out.strip()).user == reviewer


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nobody", "--name", "ci"), "There is nobody with the user name nobody"),
        (("reviewer", "--name", "ci", "--scope", "all"), "Not a scope: all"),
        (("reviewer", "--name", "ci", "--scope", "admin"), "never carries more"),
        (("reviewer", "--name", " "), "Give the token a name"),
        (("reviewer", "--name", "ci", "--scope", " ,"), "at least one scope"),
        (("reviewer",), "--name"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_sentence(
    reviewer: User, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
    assert not ApiToken.objects.exists()
