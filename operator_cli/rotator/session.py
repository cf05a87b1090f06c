"""
What every command has: options that say where the app is, a way to await its answers, and an end with an exit code.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import typer

from rotator.api import Api
from rotator.connection import Connection, address_of
from rotator.credentials import Credentials
from rotator.errors import CommandError, ExitCode, Interrupted
from rotator.options import Shared, shared_parameters, take_shared
from rotator.progress import Progress
from rotator.remedies import COMMAND
from rotator.rotating import Outcome
from rotator.rotation_view import outcomes as shown_outcomes
from rotator.screen import Screen
from rotator.watching import Underway, Watcher
from rotator.wording import counted

T = TypeVar("T")


class Session:
    """
    One run of a command.
    """

    def __init__(
        self, runner: asyncio.Runner, connection: Connection, api: Api, screen: Screen, progress: Progress
    ) -> None:
        self.connection = connection
        self.api = api
        self.screen = screen
        self.progress = progress
        self.underway = Underway()
        self._runner = runner

    def run(self, doing: str, work: Coroutine[Any, Any, T]) -> T:
        """
        Return the result of some work, showing meanwhile what is being done.
        """
        with self.progress.live(doing):
            return self._runner.run(work)

    def watcher(self, patience: float) -> Watcher:
        """
        Return what watches rotations, each for so many seconds.
        """
        return Watcher(self.api, self.progress, self.underway, patience)

    @contextmanager
    def may_be_left(self, command: str) -> Iterator[None]:
        """
        Let an interruption say that what is waited for goes on, and which command follows it.
        """
        self.underway.followed_by = command
        yield  # What ends this with an error leaves it to be said.
        self.underway.followed_by = None

    def show_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """
        Write what became of rotations: their records as results, what went wrong with the others as errors.
        """
        if self.screen.as_json:
            records = [outcome.rotation.as_told for outcome in outcomes if outcome.rotation]
            problems = [{**outcome.about, **outcome.error.problem} for outcome in outcomes if outcome.error]
            self.screen.show_json({"rotations": records, "problems": problems})
        else:
            self.screen.show(*shown_outcomes(outcomes, datetime.now(UTC)))
        for outcome in outcomes:
            if outcome.error:
                self.screen.complain(outcome.error, outcome.label)


def command(work: Callable[..., ExitCode], *, is_anonymous: bool = False) -> Callable[..., None]:
    """
    Return the function that typer makes a command of: `work`, whose first argument is the session, and shared options.

    What `work` returns, or the error it raises stands for, becomes the exit code.
    """

    def run(**options: Any) -> None:
        shared = take_shared(options)
        screen = Screen(as_json=shared.as_json)
        progress = Progress(screen.messages)
        try:
            connection = _connect(shared, progress, is_anonymous=is_anonymous)
            code = _run(connection, screen, progress, lambda session: work(session, **options))
        except CommandError as error:
            screen.fail(error)
            code = error.exit_code
        raise typer.Exit(code)

    own = list(inspect.signature(work, eval_str=True).parameters.values())[1:]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *shared_parameters())]
    run.__name__, run.__doc__ = work.__name__, work.__doc__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect.signature
    return run


def _connect(shared: Shared, progress: Progress, *, is_anonymous: bool) -> Connection:
    address = address_of(shared.url)
    if is_anonymous:
        return Connection(address, Credentials())
    given = shared.given
    credentials = given.settle(progress, is_needed=not address.is_local)
    return Connection(address, credentials, given.app, given.resource_group)


def _run(connection: Connection, screen: Screen, progress: Progress, work: Callable[[Session], ExitCode]) -> ExitCode:
    api = Api(connection, progress.note)
    with asyncio.Runner() as runner:
        session = Session(runner, connection, api, screen, progress)
        try:
            return work(session)
        except KeyboardInterrupt:
            _tell_what_goes_on(session)
            screen.show_error(Interrupted(session.underway.running))
            return ExitCode.INTERRUPTED
        finally:
            runner.run(api.close())


def _tell_what_goes_on(session: Session) -> None:
    underway = session.underway
    session.screen.say("\nstopped")
    if underway.running:
        session.screen.say(
            f"{counted(len(underway.running), 'rotation')} will go on in the app without this command. To watch:\n"
            f"  {COMMAND} watch {' '.join(underway.running)}"
        )
    if underway.followed_by:
        session.screen.say(f"it goes on in the app without this command. To follow it:\n  {underway.followed_by}")
    if underway.sent:
        session.screen.say(
            f"{counted(underway.sent, 'request')} had no answer yet and may still be carried out. To see:\n"
            f"  {COMMAND} history --since 10m"
        )
    if underway.waiting:
        session.screen.say(f"{counted(underway.waiting, 'rotation')} had not been asked for")
