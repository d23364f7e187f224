"""Vectors: what a node says it has, it has; and what it said it keeps, its next life has too."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from isinglass.node.vectors import Applied, Vectors
from isinglass.wire.journal import Journal
from isinglass.wire.membership import Membership
from isinglass.wire.reports import LIVE, VECTOR_LIMIT, Load, Progress, Report
from isinglass.wire.streams import StreamId

OWN, OTHERS = 1, (2, 3)
ORIGINS = st.sampled_from(OTHERS)
LIVES = st.integers(1, 3)
NEAR = st.sampled_from((0, 0, 0, 0, 0, -3, 2, 40))  # most come in order
STEPS = st.sampled_from((0, 1, 2, 40, 1000))


def heartbeat(vector: dict[StreamId, Progress], let_go: dict[int, int], joined: int) -> Report:
    return Report("other", "", 0, 0, LIVE, 0, 0, 0, Load(), joined, (), vector, let_go, {})


class OneNode(RuleBasedStateMachine):
    """A node's vectors beside a queue, a store and a disk that are simple enough to be right."""

    def __init__(self) -> None:
        super().__init__()
        self.life = 0
        self.disk: dict[bytes, bytes] = {}
        self.begin()

    def begin(self) -> None:
        """Begin a life with what is on the disk."""
        self.life += 1
        self.members = Membership()
        self.store = dict(self.disk)
        self.vectors = Vectors((OWN, self.life), self.disk, self.members, flushes=False)
        self.last_place = self.taken_place = self.applied_place = 0
        # of each stream: through which number it was in the store when this life began
        self.base = {stream: inbox.received for stream, inbox in self.vectors.inboxes.items()}
        self.came: dict[StreamId, dict[int, int]] = {}  # number: place in line
        self.flush: tuple[Applied, dict[bytes, bytes]] | None = None

    def through(self, stream: StreamId, place: int) -> int:
        """Return through which number everything of a stream is in line at or before a place."""
        reached, came = self.base.get(stream, 0), self.came.get(stream, {})
        while came.get(reached + 1, place + 1) <= place:
            reached += 1
        return reached

    # ------------------------------------------------------------------ what happens to a node
    @rule(origin=ORIGINS, life=LIVES, near=NEAR, count=st.integers(1, 40))
    def receive(self, origin: int, life: int, near: int, count: int) -> None:
        inbox = self.vectors.inbox((origin, life))
        if inbox is None:
            assert life <= self.vectors.let_go_through[origin]
            return
        first = max(inbox.received + 1 + near, 1)
        self.last_place += 1
        inbox.add(first, first + count - 1, self.last_place)
        came = self.came.setdefault((origin, life), {})
        for number in range(first, first + count):
            came.setdefault(number, self.last_place)

    @rule(count=st.integers(1, 50))
    def write(self, count: int) -> None:
        inbox = self.vectors.inboxes[self.vectors.own]
        for _ in range(count):
            number = inbox.received + 1
            self.last_place += 1
            inbox.add(number, number, self.last_place)
            self.came.setdefault(self.vectors.own, {})[number] = self.last_place
        assert self.vectors.sequence == number

    @rule(step=STEPS)
    def take(self, step: int) -> None:
        self.taken_place = min(self.taken_place + step, self.last_place)
        self.vectors.taken(self.taken_place)

    @rule(step=STEPS)
    def apply(self, step: int) -> None:
        place = min(self.applied_place + step, self.last_place)
        self.taken_place, self.applied_place = max(self.taken_place, place), place
        notes = self.vectors.notes(place)
        self.store.update(notes)
        self.vectors.applied(place, notes)
        assert not self.vectors.notes(place), "what is noted needs no second note"

    @rule()
    def begin_flush(self) -> None:
        self.flush = self.vectors.in_store(), dict(self.store)

    @rule()
    def end_flush(self) -> None:
        if self.flush is not None:
            self.disk = {key: value for key, value in self.flush[1].items() if value}
            self.vectors.flushed(self.flush[0])
            self.flush = None

    @rule()
    def lose_power(self) -> None:
        kept = {stream: inbox.kept for stream, inbox in self.vectors.inboxes.items()}
        self.begin()
        for stream, number in kept.items():
            inbox = self.vectors.inbox(stream)
            assert inbox is None or inbox.received >= number, "it said that it keeps more"

    # ------------------------------------------------------------------ what others say
    @rule(origin=ORIGINS, life=LIVES, behind=st.sampled_from((0, 0, 0, 1)), let_go=st.booleans())
    def hear(self, origin: int, life: int, behind: int, let_go: bool) -> None:
        """A member says that it has what this node has, or a little less."""
        known = self.members.members.get(origin)
        if known is not None and life < known.incarnation:
            return
        vector = {(other, life): Progress(0, 0, 0, 0, 0) for other in OTHERS}
        for stream, inbox in self.vectors.inboxes.items():
            if stream != self.vectors.own:
                number = max(inbox.received - behind, 0)
                vector[stream] = Progress(number, number, number, number, 1)
        member = self.members.know("other", origin, life, life)
        gone = self.vectors.let_go_through if let_go else {}
        member.hear(heartbeat(vector, dict(gone), life), life, self.last_place, 1)
        self.vectors.saw_life(origin, life)

    @rule(origin=ORIGINS)
    def forget(self, origin: int) -> None:
        if origin in self.members.members:
            self.members.forget(origin, self.members.members[origin].incarnation)

    @rule()
    def let_go(self) -> None:
        self.vectors.measure()
        before = dict(self.vectors.inboxes)
        settled = {stream for stream in before if self.vectors.settled(stream)}
        gone, notes = self.vectors.let_go()
        self.store.update(notes)
        assert set(gone) <= settled and set(self.vectors.inboxes) == set(before) - set(gone)
        assert self.vectors.own not in gone
        for stream in gone:
            assert before[stream].kept == before[stream].received, "this node may still lose it"
            assert self.vectors.inbox(stream) is None, "it is let go for good"
            self.base.pop(stream, None)
            self.came.pop(stream, None)

    # ------------------------------------------------------------------ what always holds
    @invariant()
    def nothing_is_claimed_that_is_not_so(self) -> None:
        for stream, inbox in self.vectors.inboxes.items():
            taken, applied = inbox.taken.reached, inbox.applied.reached
            assert inbox.kept <= applied <= taken <= inbox.received <= inbox.known_last
            assert inbox.received == self.through(stream, self.last_place)
            assert taken <= self.through(stream, self.taken_place)
            assert applied <= self.through(stream, self.applied_place)

    @invariant()
    def an_empty_line_hides_nothing(self) -> None:
        for inbox in self.vectors.inboxes.values():
            if self.applied_place == self.last_place:
                assert inbox.applied.reached == inbox.received

    @invariant()
    def the_store_s_notes_are_what_it_has(self) -> None:
        notes = {key: value for key, value in self.store.items() if value}
        later = Vectors((OWN, self.life + 1), notes, Membership())
        assert later.let_go_through == self.vectors.let_go_through
        for stream, inbox in self.vectors.inboxes.items():
            noted = later.inboxes[stream].received if stream in later.inboxes else 0
            assert noted == inbox.applied.reached, "the transaction notes what it brings"
        assert set(later.inboxes) - {later.own} <= set(self.vectors.inboxes)

    @invariant()
    def what_is_let_go_is_not_kept_account_of(self) -> None:
        for origin, incarnation in self.vectors.inboxes:
            assert incarnation > self.vectors.let_go_through.get(origin, 0)


TestOneNode: Any = OneNode.TestCase
TestOneNode.settings = settings(max_examples=100, stateful_step_count=60)


def test_what_is_applied_has_been_taken() -> None:
    vectors = Vectors((1, 9), {}, Membership())
    inbox = vectors.inboxes[1, 9]
    inbox.add(1, 1, 1)
    vectors.taken(1)
    for number in range(2, 41):
        inbox.add(number, number, number)
    vectors.applied(33, {})  # a place of which only one of the two kept a mark
    assert inbox.taken.reached == inbox.applied.reached == 33


# ---------------------------------------------------------------------- what heartbeats report
@given(st.integers(0, 60), st.integers(0, 40))
def test_every_stream_is_reported_in_turn_and_the_own_one_always(living: int, closed: int) -> None:
    vectors = Vectors((1, 9), {}, Membership())
    for origin in range(2, 2 + living):
        vectors.inbox((origin, 5))
    for life in range(1, 1 + closed):
        vectors.inbox((100, life))
    vectors.saw_life(100, 1000)
    journal, seen = Journal(10), set[StreamId]()
    most = max(-(-living // (VECTOR_LIMIT - 2)), closed)
    for _ in range(most + 1):
        entries = vectors.entries(journal)
        assert len(entries) <= VECTOR_LIMIT and vectors.own in entries
        seen |= set(entries)
    assert seen == set(vectors.inboxes)


@given(st.sets(st.integers(2, 60), max_size=30), st.sets(st.integers(2, 60), max_size=30))
def test_a_stranger_is_who_has_a_stream_and_is_neither_member_nor_out(
    origins: set[int], members: set[int]
) -> None:
    known = Membership()
    vectors = Vectors((1, 9), {}, known)
    for origin in origins:
        vectors.inbox((origin, 5))
    for origin in members:
        known.know(f"node{origin}", origin, 5, 5)
    assert vectors.strangers() == origins - members
    for origin in origins:
        known.forget(origin, 5)
    assert not vectors.strangers()


def test_a_restart_knows_that_more_may_have_come_above_a_gap() -> None:
    """Else nobody asks for the gap, and what came above it stays here alone (seed 3246)."""
    before = Vectors((1, 5), {}, Membership())
    inbox = before.inbox((2, 7))
    assert inbox is not None
    inbox.add(1, 3, 1)
    inbox.add(6, 9, 2)
    notes = before.notes(1)
    after = Vectors((1, 6), notes, Membership())
    again = after.inboxes[2, 7]
    assert (again.received, again.known_last, again.came_before) == (3, 9, True)
    again.add(4, 9, 3)
    assert not again.came_before
    inbox.add(4, 5, 3)
    before.applied(3, notes)
    closed = Vectors((1, 6), before.notes(3), Membership()).inboxes[2, 7]
    assert (closed.received, closed.came_before) == (9, False)


def test_a_restart_knows_that_more_may_have_merged_with_what_was_applied() -> None:
    """It is asked for; once it came it is no more doubtful, but for a kill before it is applied."""
    before = Vectors((1, 5), {}, Membership())
    inbox = before.inbox((2, 7))
    assert inbox is not None
    inbox.add(1, 3, 3)
    inbox.add(4, 5, 5)
    before.taken(3)
    inbox.add(6, 6, 6)  # too late to leave with the batch
    notes = before.notes(3)
    again = Vectors((1, 6), notes, Membership())
    inbox = again.inboxes[2, 7]
    assert (inbox.received, inbox.known_last, inbox.has_orphans) == (3, 5, True)
    inbox.add(4, 5, 1)
    assert not inbox.has_orphans
    for place, doubtful in enumerate((True, False)):
        noted = {**notes, **again.notes(place)}
        assert Vectors((1, 7), noted, Membership()).inboxes[2, 7].has_orphans is doubtful


def test_what_was_sent_again_is_no_more_doubtful() -> None:
    """Else each life would send it again."""
    before = Vectors((1, 5), {}, Membership())
    inbox = before.inbox((2, 7))
    assert inbox is not None
    inbox.add(1, 2, 1)
    inbox.add(4, 9, 2)
    before.taken(2)
    before.applied(2, before.notes(2))
    inbox.forget_ranges()
    (note,) = before.notes(2).values()
    assert note == (2).to_bytes(8, "big")


def test_nothing_is_let_go_while_streams_tell_of_a_stranger() -> None:
    """He was not asked what he keeps (seed 3145)."""
    vectors = Vectors((1, 5), {}, Membership())
    for stream in ((1, 4), (3, 7)):
        vectors.inbox(stream)
    assert vectors.is_closed((1, 4))
    assert vectors.let_go() == ([], {})
    del vectors.inboxes[3, 7]
    assert vectors.let_go()[0] == [(1, 4)]


def test_what_was_let_go_before_a_node_was_known_is_told_from_what_it_had() -> None:
    """A node that began alone has no part in the past of the others (seed 2785)."""
    vectors = Vectors((4, 9), {}, Membership())
    vectors.inbox((2, 7))
    assert vectors.never_had({2: 6, 3: 5}) == {2: 6, 3: 5}
    assert vectors.never_had({2: 7}) == {}
    vectors.take_over({2: 6, 3: 5})
    assert vectors.never_had({2: 6, 3: 5}) == {}
    _, notes = vectors.let_go()
    assert Vectors((4, 10), notes, Membership()).let_go_through == {2: 6, 3: 5}
