"""Long-term memory: what goes, what stays, and that neither bytes nor positions to read grow with the scan."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ivos.propagation.memory.buffers import Encoded
from ivos.propagation.memory.long_term import PUBLISHED_SIZES, Candidates, LongTermSizes, consolidated, survivors
from ivos.propagation.memory.similarity import Keys, Query, similarity
from ivos.propagation.memory.store import Keep, Memory

C, V, K, P = 4, 3, 2, 6  # key and value channels, structures, positions in a slice
POSITION_BYTES = 4 * (C + K * V + 1 + C)  # key, values, shrinkage, selection
SMALL = LongTermSizes(working=4, kept=2, prototypes=3, elements=12)


def slice_of(seed: int) -> Encoded:
    g = torch.Generator().manual_seed(seed)
    return Encoded(
        torch.randn(C, P, generator=g),
        torch.randn(K, V, P, generator=g),
        1 + torch.rand(P, generator=g),
        torch.rand(C, P, generator=g),
    )


def query_of(seed: int, count: int = 5) -> Query:
    g = torch.Generator().manual_seed(seed)
    return Query(torch.randn(C, count, generator=g), torch.rand(C, count, generator=g))


def everything() -> torch.Tensor:
    return torch.ones(K, dtype=torch.bool)


def test_similarity_is_the_weighed_distance() -> None:
    seen, query = slice_of(0), query_of(1)
    assert seen.shrinkage is not None
    assert query.selection is not None
    found = similarity(query, Keys(seen.key.T, seen.key.square().sum(0), seen.shrinkage))
    squared = (seen.key[:, None] - query.key[:, :, None]).square()  # (C, M, P)
    expected = -(squared * query.selection[:, :, None]).sum(0) * seen.shrinkage / math.sqrt(C)
    torch.testing.assert_close(found, expected)


def test_without_shrinkage_and_selection_it_is_the_plain_distance() -> None:
    seen, query = slice_of(0), query_of(1)
    squares = seen.key.square().sum(0)
    plain = similarity(Query(query.key), Keys(seen.key.T, squares, None))
    ones = similarity(Query(query.key, torch.ones(C, 5)), Keys(seen.key.T, squares, torch.ones(P)))
    torch.testing.assert_close(plain.softmax(1), ones.softmax(1))


@settings(max_examples=20)
@given(
    room=st.integers(3, 12),
    sizes=st.builds(
        LongTermSizes,
        working=st.integers(2, 6),
        kept=st.just(1),
        prototypes=st.integers(1, 6),
        elements=st.integers(6, 40),
    ),
    kinds=st.lists(st.sampled_from([Keep.WHILE_ROOM] * 6 + [Keep.UNTIL_NEXT, Keep.ALWAYS]), min_size=5, max_size=20),
)
def test_the_budget_holds_and_annotated_slices_stay(room: int, sizes: LongTermSizes, kinds: list[Keep]) -> None:
    budget = room * P * POSITION_BYTES + 5
    memory = Memory(budget, sizes)
    annotated = 0
    for index, kind in enumerate([Keep.ALWAYS, *kinds]):
        keep = Keep.WHILE_ROOM if kind is Keep.ALWAYS and annotated == room else kind
        memory.add(index, slice_of(index), everything(), keep)
        annotated += keep is Keep.ALWAYS
        assert memory.used_bytes <= budget
        assert memory.prototypes <= sizes.elements
        if keep is Keep.ALWAYS:
            kept = slice_of(index)
        assert torch.isfinite(memory.read(query_of(index), 4)).all()
        found = memory.read(Query(kept.key, 1e4 * torch.ones(C, P)), 1)  # the last annotated slice finds itself
        torch.testing.assert_close(found, kept.value)


@settings(max_examples=60)
@given(slices=st.integers(0, 40), positions=st.integers(1, 400))
def test_sizes_fit_into_the_room_there_is(slices: int, positions: int) -> None:
    sizes = PUBLISHED_SIZES.within(slices, positions)
    if sizes is None:
        assert slices < 5  # otherwise there is room for two slices, their prototypes and the last one
        return
    assert sizes.working + 1 + math.ceil(sizes.elements / positions) <= slices
    assert 1 <= sizes.kept < sizes.working
    assert 1 <= sizes.prototypes <= min(sizes.elements, (sizes.working - sizes.kept) * positions)


def test_with_much_room_the_sizes_are_the_published_ones() -> None:
    assert PUBLISHED_SIZES.within(100, 1024) == PUBLISHED_SIZES


def test_what_is_read_from_stays_and_what_is_not_goes() -> None:
    """The middle slices' positions asked for by their own keys are the prototypes; they bring their values along."""
    memory = Memory(100 * P * POSITION_BYTES, LongTermSizes(working=3, kept=1, prototypes=2, elements=4))
    memory.add(0, slice_of(0), everything(), Keep.ALWAYS)
    for index in (1, 2):
        memory.add(index, slice_of(index), everything(), Keep.WHILE_ROOM)
    wanted = Query(torch.stack([slice_of(1).key[:, 4], slice_of(2).key[:, 2]], 1), 1e4 * torch.ones(C, 2))
    expected = memory.read(wanted, 1)
    memory.add(3, slice_of(3), everything(), Keep.WHILE_ROOM)
    assert memory.indices == [0, 3]
    assert memory.prototypes == 2
    torch.testing.assert_close(memory.read(wanted, 1).sign(), expected.sign(), rtol=0, atol=2)
    near = (memory.read(wanted, 1) - expected).norm() / expected.norm()
    assert near < 1  # values of all that looks like them are averaged, so that they are near and not the same


def test_prototypes_hold_the_average_of_what_looks_like_them() -> None:
    keys = torch.tensor([[0.0], [0.0], [9.0]])
    values = torch.tensor([[[1.0], [3.0], [50.0]], [[2.0], [4.0], [60.0]]])  # (K, N, V)
    known = torch.tensor([[True, True], [True, False], [True, True]])
    usage = torch.tensor([0.5, 0.1, 0.3])
    at = Keys(keys, keys.square().sum(1), torch.tensor([1.0, 3.0, 5.0]))
    made = consolidated(Candidates(at, torch.ones(1, 3), usage, known, values, torch.arange(3)), 2)
    torch.testing.assert_close(made.keys, torch.tensor([[0.0], [9.0]]))  # most used first
    torch.testing.assert_close(made.values[0, :, 0], torch.tensor([2.0, 50.0]))
    torch.testing.assert_close(made.values[1, :, 0], torch.tensor([2.0, 60.0]))  # the second slice says nothing of it
    torch.testing.assert_close(made.shrinkage, torch.tensor([2.0, 5.0]))
    assert torch.equal(made.known, known[[0, 2]])


def test_a_prototype_of_a_slice_that_leaves_a_structure_open_is_not_read_for_it() -> None:
    memory = Memory(100 * P * POSITION_BYTES, SMALL)
    memory.add(0, slice_of(0), everything(), Keep.ALWAYS)
    for index in range(1, 5):
        memory.add(index, slice_of(index), torch.tensor([True, False]), Keep.WHILE_ROOM)
    assert memory.prototypes == SMALL.prototypes
    alone = Memory(100 * P * POSITION_BYTES)
    alone.add(0, slice_of(0), everything(), Keep.ALWAYS)
    query = query_of(9)
    torch.testing.assert_close(memory.read(query, 50)[1], alone.read(query, 50)[1])
    assert not torch.allclose(memory.read(query, 50)[0], alone.read(query, 50)[0])


def test_survivors_are_those_used_most() -> None:
    usage = torch.tensor([0.3, 0.0, 0.9, 0.1, 0.1, 0.5])
    assert survivors(usage, 3).tolist() == [0, 2, 5]
    assert survivors(usage, 4).tolist() == [0, 2, 5]  # equals go together
    assert survivors(usage, 0).tolist() == []


def test_reading_costs_the_same_however_long_the_walk() -> None:
    memory = Memory(100 * P * POSITION_BYTES, SMALL)
    memory.add(0, slice_of(0), everything(), Keep.ALWAYS)
    sizes = []
    for index in range(1, 80):
        memory.add(index, slice_of(index), everything(), Keep.WHILE_ROOM)
        memory.read(query_of(index), 4)
        sizes.append(memory.used_bytes)
        assert len(memory.indices) <= 1 + SMALL.working
    assert max(sizes) == max(sizes[:20])


def test_a_prototype_that_is_asked_for_all_the_time_outlives_those_that_come_after_it() -> None:
    memory = Memory(100 * P * POSITION_BYTES, LongTermSizes(working=3, kept=1, prototypes=2, elements=6))
    memory.add(0, slice_of(0), everything(), Keep.ALWAYS)
    far = slice_of(1)
    wanted = Query(far.key[:, :1] + 20, torch.ones(C, 1))
    memory.add(1, Encoded(far.key + 20, far.value + 7, far.shrinkage, far.selection), everything(), Keep.WHILE_ROOM)
    for index in range(2, 40):
        memory.read(wanted, 1)
        memory.add(index, slice_of(index), everything(), Keep.WHILE_ROOM)
    assert 1 not in memory.indices
    assert float(memory.read(wanted, 1).mean()) > 4  # nothing but slice 1 has such values


def test_annotations_that_come_late_take_the_room_of_the_prototypes() -> None:
    memory = Memory(8 * P * POSITION_BYTES, LongTermSizes(working=3, kept=1, prototypes=3, elements=24))
    for index in range(12):
        memory.add(index, slice_of(index), everything(), Keep.ALWAYS if index == 0 else Keep.WHILE_ROOM)
        memory.read(query_of(index), 4)
    assert memory.prototypes > 0
    for index in range(20, 27):
        memory.add(index, slice_of(index), everything(), Keep.ALWAYS)
    assert memory.prototypes == 0
    assert sorted(memory.indices) == [0, *range(20, 27)]


@pytest.mark.parametrize("anisotropic", [True, False])
def test_plain_keys_are_consolidated_too(anisotropic: bool) -> None:
    memory = Memory(10**6, SMALL)
    for index in range(20):
        seen = slice_of(index)
        plain = Encoded(seen.key, seen.value)
        memory.add(index, seen if anisotropic else plain, everything(), Keep.ALWAYS if index == 0 else Keep.WHILE_ROOM)
        query = query_of(index)
        read = memory.read(query if anisotropic else Query(query.key), 4)
        assert torch.isfinite(read).all()
    assert memory.prototypes > 0
