"""
What is known of a running rotation by the worker that has claimed its target.
"""

from datetime import datetime

from msgspec import structs

from rotation.ports.world import World
from rotation.run.choice import Regenerate, StoreLive
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.record import Journal, OpenRotation, Rotation, Trial
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline


class Progress:
    """
    The rotation as it was written last, and what has happened since.

    Its methods say what happened; that is written with the next change of the row.
    """

    def __init__(self, world: World, row: OpenRotation, deadline: Deadline) -> None:
        self._world = world
        self._row = row
        self.deadline = deadline

    @property
    def record(self) -> Rotation:
        """
        What is known of the rotation.
        """
        return self._row.record

    @property
    def request(self) -> RotationRequest:
        """
        What was asked for.
        """
        return self._row.request

    @property
    def journal(self) -> Journal | None:
        """
        What was written down before a key was regenerated, None before that.
        """
        return self._row.journal

    @property
    def trial(self) -> Trial | None:
        """
        What was written down of the proof of a new key.
        """
        return self._row.trial

    @property
    def begun(self) -> bool:
        """
        Whether the row stays until the rotation has ended.
        """
        return self._row.begun

    @property
    def has_stored(self) -> bool:
        """
        Whether an earlier attempt has written down that its version is stored, whatever is current by now.
        """
        return self.record.secret is not None and self.record.secret.previous_version is not None

    @property
    def must_finish(self) -> bool:
        """
        Whether the key in use may have been regenerated: then nothing but storing the new one helps the clients.
        """
        return self.journal is not None and self.journal.in_place

    def pin(self, secret: SecretId) -> None:
        """
        Let the request be about the version that is current now.
        """
        request = structs.replace(self.request, secret=secret)
        self._row = structs.replace(self._row, request=request, record=self.record.pinned(secret.version or ""))

    def about(self, target: Target) -> None:
        """
        Say which target the secret names.
        """
        self._know(self.record.about(target))

    def chose(self, plan: Regenerate | StoreLive) -> None:
        """
        Say what is to be done.
        """
        self._know(self.record.chose(plan.key, plan.active, adopted=plan.adopts))
        self.say("inspected", key=plan.key)

    def rehearsed(self, record: Rotation) -> None:
        """
        Say what would be done.
        """
        self._know(record)
        self.say("inspected", key=record.key_name)

    def stored(self, version: SecretId, expires_on: datetime | None) -> None:
        """
        Say which version is the new one.
        """
        record = self.record.stored(version, expires_on)
        if self.journal and self.journal.in_place:
            gap = self._world.clock.now() - self.journal.written_on
            record = structs.replace(record, gap_seconds=round(gap.total_seconds(), 3))
        self._know(record)

    def found_stored(self, target: Target, key: KeyName | None, version: SecretId, expires_on: datetime | None) -> None:
        """
        Say that an earlier attempt has stored this version, and did not report it.
        """
        journal = self.journal
        self._know(
            structs.replace(
                self.record.about(target),
                key_name=journal.key if journal else key,
                previous_key_name=journal.previous_key if journal else key and key.other,
                # Without a journal nothing was regenerated: the version holds a key that was live already.
                adopted=journal is None and not self.request.force,
            )
        )
        self.stored(version, expires_on)
        self.say("found the new version already stored", key=self.record.key_name)

    def proved(self, *, is_proven: bool) -> None:
        """
        Say whether the new key was seen to work.
        """
        self._know(structs.replace(self.record, proven=is_proven))

    def say(self, step: str, **facts: object) -> None:
        """
        Log that the rotation has come past a step.
        """
        report(self.record, step, self.deadline, **facts)

    def _know(self, record: Rotation) -> None:
        self._row = structs.replace(self._row, record=record)
